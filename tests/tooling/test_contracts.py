"""The checks that guard the architecture bite: each is shown a breach that it must find."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugins.wheel import copy_of_the_tree

pytestmark = pytest.mark.slow

# (file, line to plant, contract that must break)
BREACHES = [
    ("bulksms/sms/planted.py", "from bulksms import services", "Floors"),
    ("bulksms/models/planted.py", "from bulksms.carriers import base", "Floors"),
    ("bulksms/services/wallet.py", "from bulksms.services import sending", "Services read"),
    ("bulksms/services/planted.py", "x = 1", "Services read"),
    ("bulksms/planted.py", "x = 1", "Floors"),
    ("bulksms/services/wallet.py", "import rest_framework", "No HTTP framework"),
    ("bulksms/services/wallet.py", "import dramatiq", "No HTTP framework"),
    ("bulksms/queues.py", "import dramatiq", "No HTTP framework"),
    ("bulksms/services/wallet.py", "import aiohttp", "Only carriers.transport"),
    ("bulksms/apps.py", "import simulator", "never import each other"),
    ("simulator/planted.py", "import bulksms", "never import each other"),
    ("simulator/planted.py", "import django", "stands alone"),
]

CLOCK_READS = [
    "from django.utils.timezone import now",
    "from django.utils import timezone\nx = timezone.now()",
    "import time\nx = time.time()",
    "from time import time",
    "import datetime as dt\nx = dt.datetime.now(dt.UTC)",
    "from datetime import datetime\nx = datetime.utcnow()",
    "from datetime import date\nx = date.today()",
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return copy_of_the_tree(
        tmp_path / "tree", ["setup.cfg", "pyproject.toml", "bulksms", "simulator"]
    )


def plant(tree: Path, file: str, line: str) -> None:
    path = tree / file
    path.parent.mkdir(exist_ok=True)
    text = path.read_text() if path.exists() else ""
    path.write_text(f"{text}\n{line}\n")


def lint_imports(tree: Path) -> subprocess.CompletedProcess[str]:
    command = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [command, "--no-cache", "--config", "setup.cfg"],
        cwd=tree, capture_output=True, text=True, check=False,
    )  # fmt: skip


def lint_clock(tree: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", "--select=TID251", "."],
        cwd=tree, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_tree_keeps_its_contracts(tree: Path) -> None:
    checked = lint_imports(tree)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(("file", "line", "contract"), BREACHES)
def test_a_planted_import_breaks_its_contract(
    tree: Path, file: str, line: str, contract: str
) -> None:
    plant(tree, file, line)

    checked = lint_imports(tree)

    broken = [said for said in checked.stdout.splitlines() if " BROKEN" in said]
    assert checked.returncode != 0, f"{line!r} in {file} went unseen:\n{checked.stdout}"
    assert any(contract in said for said in broken), (
        f"{line!r} in {file} should break {contract!r}, but broke {broken}:\n"
        f"{checked.stdout}{checked.stderr}"
    )


def test_the_tree_reads_the_clock_in_one_place(tree: Path) -> None:
    checked = lint_clock(tree)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("code", CLOCK_READS)
@pytest.mark.parametrize("package", ["bulksms", "simulator"])
def test_a_planted_look_at_the_clock_is_found(tree: Path, package: str, code: str) -> None:
    plant(tree, f"{package}/planted.py", code)

    checked = lint_clock(tree)

    assert checked.returncode == 1, f"{code!r} went unseen:\n{checked.stdout}{checked.stderr}"
    assert "TID251" in checked.stdout
