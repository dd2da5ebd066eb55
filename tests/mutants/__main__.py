"""``python -m tests.mutants``: plant each bug in a copy of the tree; its test must turn red.

A bug whose text is no longer in the tree, or whose test is green with it, fails the run. The table
comes last.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutants.bug import Bug
from tests.mutants.bugs import BUGS
from tests.plugins.wheel import NOT_SOURCE, ROOT

COPIED = ("bulksms", "simulator", "tests", "example_project", "docs", "setup.cfg", "README.md")
TIMEOUT_S = 180
#: Each is a process with a database server of its own.
AT_A_TIME = 2


def main() -> int:
    """Exit status: 0 when every bug was caught."""
    wanted = sys.argv[1:]
    chosen = [bug for bug in BUGS if not wanted or any(word in bug.name for word in wanted)]
    outcomes = []
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for bug, outcome in zip(chosen, pool.map(try_out, chosen), strict=True):
            outcomes.append((bug, outcome))
            print(f"[{len(outcomes)}/{len(chosen)}] {outcome:<16} {bug.name}", flush=True)
    missed = [bug for bug, outcome in outcomes if outcome != "caught"]
    print(f"\n{'bug':<58} {'test'}")
    for bug, outcome in outcomes:
        mark = "" if outcome == "caught" else f"   <-- {outcome}"
        print(f"{bug.name:<58} {bug.test}{mark}")
    print(f"\n{len(outcomes) - len(missed)} of {len(outcomes)} planted bugs were caught")
    return 1 if missed else 0


def try_out(bug: Bug) -> str:
    """caught, survived, or does not apply."""
    with tempfile.TemporaryDirectory(prefix="bulksms-mutant-") as folder:
        tree = Path(folder)
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, tree / name, ignore=NOT_SOURCE)
            else:
                shutil.copy2(source, tree / name)
        path = tree / bug.file
        text = path.read_text()
        if text.count(bug.right) != 1:
            return "does not apply"
        path.write_text(text.replace(bug.right, bug.wrong))
        return "survived" if passes(tree, bug.test) else "caught"


def passes(tree: Path, test: str) -> bool:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", test]
    environment = {**os.environ, "PYTHONPATH": str(tree), "HYPOTHESIS_PROFILE": "ci"}
    try:
        done = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return True  # no test that hangs has noticed anything
    if done.returncode not in (0, 1):
        raise SystemExit(f"{test} could not run:\n{done.stdout.decode()}{done.stderr.decode()}")
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
