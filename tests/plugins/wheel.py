"""The package as its users get it: built once in a run, installed into an empty environment.

Building and installing take seconds, so every worker of a run shares one wheel and one environment.
"""

from __future__ import annotations

import fcntl
import importlib.util
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("bulksms", "simulator")
NOT_SOURCE = shutil.ignore_patterns("__pycache__", "*.pyc", "*.egg-info", "*.sqlite3*")
BUILT_FROM = ["setup.cfg", "pyproject.toml", "MANIFEST.in", "LICENSE", "README.md", *PACKAGES]


def run(*command: str | Path, cwd: Path) -> str:
    """The command's output; its failure shows the output and the command."""
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    if done.returncode:
        words = " ".join(map(str, command))
        pytest.fail(f"{words}\nexited {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def copy_of_the_tree(folder: Path, names: list[str]) -> Path:
    """Those files and folders of the project, in a folder that a test may spoil."""
    folder.mkdir(parents=True)
    for name in names:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=NOT_SOURCE)
        else:
            shutil.copy2(source, folder / name)
    return folder


def install(python: Path, *what: str | Path) -> None:
    """Into that interpreter's environment; with uv where it is at hand, else with its own pip."""
    if importlib.util.find_spec("uv"):
        run(sys.executable, "-m", "uv", "pip", "install", "-q", "-p", python, *what, cwd=ROOT)
    else:
        run(python, "-m", "pip", "install", "-q", *what, cwd=ROOT)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for the whole run, whichever worker asks."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if base.name.startswith("popen-") else base) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def built_wheel(shared_folder: Path) -> Path:
    """Path of the wheel, built from the source archive: so both are proved."""

    def build() -> None:
        tree = copy_of_the_tree(shared_folder / "source", BUILT_FROM)
        run(sys.executable, "-m", "build", "--outdir", shared_folder / "dist", ".", cwd=tree)

    _once(shared_folder / "wheel", build)
    (wheel,) = (shared_folder / "dist").glob("*.whl")
    return wheel


@pytest.fixture(scope="session")
def wheel_python(shared_folder: Path, built_wheel: Path) -> Path:
    """The interpreter of an environment that has the wheel, what it requires, and nothing else."""
    python = shared_folder / "environment" / "bin" / "python"

    def make() -> None:
        venv.create(shared_folder / "environment", with_pip=not importlib.util.find_spec("uv"))
        install(python, built_wheel)

    _once(shared_folder / "installed", make)
    return python


def _once(marker: Path, make: Callable[[], None]) -> None:
    """Run it if no other worker of this run has; wait for one that is at it."""
    with _locked(marker.with_suffix(".lock")):
        if not marker.exists():
            make()
            marker.touch()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
