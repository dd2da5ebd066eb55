"""What a user gets from the package index is whole, and holds nothing else."""

from __future__ import annotations

import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from tests.plugins.wheel import PACKAGES, ROOT, run

pytestmark = pytest.mark.slow


def files_of_the_tree() -> set[str]:
    return {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def files_of_the_wheel(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_the_wheel_holds_every_file_of_both_packages_and_no_other(built_wheel: Path) -> None:
    in_tree, in_wheel = files_of_the_tree(), files_of_the_wheel(built_wheel)

    missing, foreign = sorted(in_tree - in_wheel), sorted(in_wheel - in_tree)
    assert not missing, (
        f"not in the wheel: {missing}. A folder of modules needs an __init__.py; other files need "
        "a pattern in setup.cfg, [options.package_data], and in MANIFEST.in"
    )
    assert not foreign, f"in the wheel, but not in bulksms/ or simulator/: {foreign}"


@pytest.mark.parametrize("name", ["bulksms/py.typed", "simulator/py.typed"])
def test_the_wheel_says_that_it_is_typed(built_wheel: Path, name: str) -> None:
    assert name in files_of_the_wheel(built_wheel)


def test_the_wheel_brings_its_migrations(built_wheel: Path) -> None:
    assert any(
        name.startswith("bulksms/migrations/0001_") for name in files_of_the_wheel(built_wheel)
    )


def test_the_wheel_says_what_it_is(built_wheel: Path) -> None:
    with zipfile.ZipFile(built_wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(name).decode())

    assert metadata["Name"] == "django-bulksms-outbox"
    assert metadata["Requires-Python"] == ">=3.11"
    assert "BSD-3-Clause" in (metadata["License-Expression"] or metadata["License"])
    assert metadata["License-File"] == "LICENSE"
    assert metadata.get_payload(), "the README is missing: it is the page on the package index"


def test_both_packages_import_where_nothing_else_is_installed(
    wheel_python: Path, tmp_path: Path
) -> None:
    for package in PACKAGES:
        where = run(
            wheel_python, "-c", f"import {package}; print({package}.__file__)", cwd=tmp_path
        )
        assert Path(where).is_relative_to(wheel_python.parents[1]), f"{package} came from {where}"


def test_the_fake_carrier_is_a_command(wheel_python: Path, tmp_path: Path) -> None:
    assert "--seed" in run(wheel_python.parent / "bulksms-simulator", "--help", cwd=tmp_path)
