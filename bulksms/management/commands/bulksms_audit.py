"""manage.py bulksms_audit"""

from __future__ import annotations

import json
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from bulksms.services import audit
from bulksms.services.audit import Result


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise ArgumentTypeError("must be a whole number above zero")
    return int(text)


class Command(BaseCommand):
    help = (
        "Check that every cent and every row adds up: wallets, ledger chains, holds, messages,"
        " counters. Prints a line per fault and exits 1 if there is one; changes nothing. It looks"
        " at one moment: traffic may go on."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
        parser.add_argument(
            "--limit", type=_positive, default=audit.FAULTS_SHOWN,
            help="faults told per check (20); the rest is counted",
        )  # fmt: skip

    def handle(self, **options: Any) -> None:
        tell = self._tell_nothing if options["json"] else self._tell
        results = []
        with tqdm(
            audit.results(options["limit"]), total=len(audit.CHECKS), unit=" checks",
            leave=False, disable=None,
        ) as bar:  # fmt: skip
            for result in bar:
                tell(result)
                results.append(result)
        if options["json"]:
            self.stdout.write(_as_json(results))
        self._end(results, quiet=options["json"])

    def _tell(self, result: Result) -> None:
        with tqdm.external_write_mode():
            for fault in result.faults:
                self.stdout.write(str(fault))
            if result.hidden:
                self.stdout.write(f"{result.check}: and {_faults(result.hidden, 'more ')}")

    def _tell_nothing(self, _result: Result) -> None:
        """JSON is written as a whole."""

    def _end(self, results: Sequence[Result], *, quiet: bool) -> None:
        count = sum(len(result.faults) + result.hidden for result in results)
        if count:
            broken = sum(1 for result in results if result.faults)
            raise CommandError(f"{_faults(count)}, found by {broken} of {len(results)} checks")
        if not quiet:
            self.stdout.write(f"ledger balanced ({len(results)} checks, no fault)")


def _faults(count: int, more: str = "") -> str:
    return f"{count} {more}fault{'' if count == 1 else 's'}"


def _as_json(results: Sequence[Result]) -> str:
    """``{"balanced": false, "checks": 25, "faults": [{"check", "noun", "ids", ...}], ...}``"""
    return json.dumps(
        {
            "balanced": not any(result.faults for result in results),
            "checks": len(results),
            "faults": [asdict(fault) for result in results for fault in result.faults],
            "hidden": {result.check: result.hidden for result in results if result.hidden},
        },
        indent=2,
    )
