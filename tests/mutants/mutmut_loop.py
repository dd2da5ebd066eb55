"""Runs the tests of a module against each of its mutants; started by ``mutmut_run`` in its copy.

One JSON line for each mutant on standard output. Every mutant has a process of its own, forked from
this one, which has already imported all that is slow and nothing of ``bulksms``.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

import django.test  # noqa: F401 - the children inherit it, as the four below
import hypothesis.strategies  # noqa: F401
import phonenumbers
import pytest
import smsutil  # type: ignore[import-untyped]  # noqa: F401

from tests.mutants.mutmut_generate import mutants_of

#: How long an endless loop may take. The tests of one module take less than 2 s of a processor.
CPU_S = 10
MEMORY_BYTES = 3 * 2**30

ARGUMENTS = (
    *("-c", os.devnull, "--rootdir", ".", "-x", "-q", "-p", "no:cacheprovider"),
    "--disable-plugin-autoload",  # no Django and no database; loading them takes half the time
    # Tests of speed: a busy machine would kill mutants now and then.
    *("-k", "not (is_quick or are_quick or megabyte or percent)"),
)


def main() -> None:
    for region in phonenumbers.SUPPORTED_REGIONS:
        phonenumbers.PhoneMetadata.metadata_for_region(region)
    for word in sys.argv[1:]:  # "bulksms/money.py=tests/sms/test_money.py,..."
        module, _, tests = word.partition("=")
        try_all(Path(module), tests.split(","))


def try_all(module: Path, tests: Sequence[str]) -> None:
    source = module.read_text()
    if outcome_of(tests) != "survived":
        raise SystemExit(f"{' '.join(tests)}: red without any mutant, run it with pytest")
    mutants = list(mutants_of(source))
    for number, mutant in enumerate(mutants, 1):
        module.write_text(mutant.code)
        found = {"module": str(module), "outcome": outcome_of(tests)}
        found |= {"place": mutant.place, "was": mutant.was, "now": mutant.now}
        print(json.dumps({**found, "number": number, "of": len(mutants)}), flush=True)
    module.write_text(source)


def outcome_of(tests: Sequence[str]) -> str:
    """survived, killed or endless."""
    child = os.fork()
    if not child:
        _run(tests)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "endless"
    return "killed" if status else "survived"


def _run(tests: Sequence[str]) -> None:
    """In the child, which never returns."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    try:
        os._exit(int(pytest.main([*ARGUMENTS, *tests])))
    finally:
        os._exit(70)  # pytest itself broke: out of memory, say


if __name__ == "__main__":
    main()
