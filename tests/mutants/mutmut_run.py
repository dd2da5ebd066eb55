"""``make mutmut``: mutmut's mutants of the pure modules; the survivors must be the ones we explain.

Runs in a copy of the tree. The list is docs/explanation/mutmut_survivors.md: a survivor that is not
in it fails the run; one that is in it and survives no more is named. ``ARGS=money`` runs the
modules with that word in their path.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.mutants.mutmut_survivors import Survivor, listed
from tests.plugins.wheel import NOT_SOURCE, ROOT

COPIED = ("bulksms", "simulator", "tests", "docs")
SMS = "tests/sms/test_"
#: Module -> the fast tests that are to notice.
MODULES = {
    "bulksms/money.py": f"{SMS}money.py",
    "bulksms/states.py": "tests/test_states.py",
    "bulksms/sms/segments.py": f"{SMS}segments.py",
    "bulksms/sms/numbers.py": f"{SMS}numbers.py",
    "bulksms/sms/encoding.py": f"{SMS}encoding.py",
}


class Found(NamedTuple):
    survivor: Survivor
    outcome: str


def main() -> int:
    """Exit status: 0 when every survivor is in the list."""
    chosen = [name for name in MODULES if not sys.argv[1:] or any(w in name for w in sys.argv[1:])]
    if not chosen:
        raise SystemExit(f"no module like {' '.join(sys.argv[1:])}: {', '.join(MODULES)}")
    with tempfile.TemporaryDirectory(prefix="bulksms-mutmut-") as folder:
        tree = Path(folder)
        for name in COPIED:
            shutil.copytree(ROOT / name, tree / name, ignore=NOT_SOURCE)
        found = list(run(tree, chosen))
    print_totals(found)
    return compare(found, chosen)


def run(tree: Path, chosen: list[str]) -> Iterator[Found]:
    """What became of each mutant, as it comes; a line of progress for every 20 of them."""
    loop = [sys.executable, "-m", "tests.mutants.mutmut_loop"]
    command = [*loop, *(f"{module}={MODULES[module]}" for module in chosen)]
    environment = {
        **os.environ,
        "PYTHONDONTWRITEBYTECODE": "1",  # one file, changed many times in a second
        "HYPOTHESIS_PROFILE": "ci",
    }
    with subprocess.Popen(
        command, cwd=tree, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            one = json.loads(line)
            if (
                one["outcome"] == "survived"
                or one["number"] % 20 == 0
                or one["number"] == one["of"]
            ):
                print(f"{one['module']} {one['number']}/{one['of']} {one['outcome']}", flush=True)
            survivor = Survivor(one["module"], one["place"], one["was"], one["now"])
            yield Found(survivor, one["outcome"])
    if process.returncode:
        raise SystemExit(process.returncode)


def print_totals(found: list[Found]) -> None:
    counted = Counter((one.survivor.module, one.outcome) for one in found)
    print(f"\n{'module':<28} {'mutants':>8} {'killed':>8} {'endless':>8} {'survived':>9}")
    for module in dict.fromkeys(one.survivor.module for one in found):
        numbers = [counted[module, outcome] for outcome in ("killed", "endless", "survived")]
        killed, endless, survived = numbers
        print(f"{module:<28} {sum(numbers):>8} {killed:>8} {endless:>8} {survived:>9}")


def compare(found: list[Found], chosen: list[str]) -> int:
    """What the list and the run do not have in common; 1 for a survivor that nobody explained."""
    explained = [one for one in listed() if one.module in chosen]
    outcomes = {one.survivor: one.outcome for one in found if one.outcome != "survived"}
    survived = {one.survivor for one in found if one.outcome == "survived"}
    for one in explained:
        if one not in survived:
            print(f"listed, and {outcomes.get(one, 'no longer a mutant')}: {one.row()}")
    unlisted = [one for one in survived if one not in explained]
    for one in sorted(unlisted):
        print(f"survived, and not in the list: {one.module}\n{one.row()}")
    print(f"\n{len(survived)} survived, {len(unlisted)} of them are not in the list")
    return 1 if unlisted else 0


if __name__ == "__main__":
    sys.exit(main())
