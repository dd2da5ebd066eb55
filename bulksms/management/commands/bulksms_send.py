"""manage.py bulksms_send"""

from __future__ import annotations

import datetime as dt
import gc
import json
import shutil
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection, reset_queries
from tqdm import tqdm

from bulksms import money
from bulksms.exceptions import BulkSmsError, InvalidRequest
from bulksms.management.common import find_organisation
from bulksms.models.outbox import NORMAL, PRIORITIES
from bulksms.services import importing, organisations
from bulksms.services.importing import Checked, Job, RowError
from bulksms.services.series import Options, Series
from bulksms.tables import UTF8, Table, TableError

#: As a shell says it: ended by Ctrl-C.
INTERRUPTED = 130


class Command(BaseCommand):
    help = (
        "Text everybody in a CSV file (or on standard input: -), each in their own words: the"
        " first line names the columns, {column} in --message is that row's cell. Every row is"
        " checked before the first one is sent; with one bad row nothing is sent, unless"
        " --skip-invalid. --dry-run only tells the cost. After Ctrl-C, a crash or an empty wallet"
        " repeat the same command: it goes on, and nobody gets it twice, even months later. To"
        " send the same file again on purpose, give it another --name."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="a CSV file; - = standard input")
        text = parser.add_mutually_exclusive_group(required=True)
        text.add_argument("--message", help='the text, e.g. "Hi {name}, your bill is {amount}"')
        text.add_argument("--message-file", type=Path, help="a file with the text, in UTF-8")
        text.add_argument("--message-column", default="", help="the column with a text for each")
        parser.add_argument("--phone-column", default="", help="(the one called phone, to, ...)")
        parser.add_argument("--organisation", help="its slug (default: the house organisation)")
        parser.add_argument("--sender", help="sender ID (default: the organisation's)")
        parser.add_argument("--at", help="when, with a zone: 2026-01-31T08:00+03:00 (now)")
        parser.add_argument("--priority", choices=PRIORITIES, default=NORMAL, help="(normal)")
        parser.add_argument("--max-cost", help="refuse to send if all of it costs more")
        parser.add_argument("--name", default="", help="what this send is called; part of its key")
        parser.add_argument("--sensitive", action="store_true", help="blank the texts once sent")
        parser.add_argument("--skip-invalid", action="store_true", help="send to the good rows")
        parser.add_argument("--allow-empty", action="store_true", help="a {cell} may be empty")
        parser.add_argument("--encoding", default=UTF8, help="of the file, e.g. cp1252 (UTF-8)")
        parser.add_argument("--delimiter", default="", help="(what the first line has most of)")
        parser.add_argument("--dry-run", action="store_true", help="only say what it would cost")
        parser.add_argument("--json", action="store_true", help="one JSON object on stdout")

    def handle(self, **options: Any) -> None:
        self._options = options
        self._errors: list[RowError] = []
        try:
            with _table(options) as table, _no_collections():
                self._run(_job(table, options))
        except (TableError, OSError, LookupError, UnicodeError) as error:
            raise CommandError(str(error)) from error
        except InvalidRequest as error:
            raise CommandError("\n".join(fault.detail for fault in error.errors)) from error
        except BulkSmsError as error:
            raise CommandError(error.detail) from error

    def _run(self, job: Job) -> None:
        try:
            with _bar("checked") as bar:
                checked = importing.check(job, on_error=self._tell_error, progress=_step(bar))
        except KeyboardInterrupt:
            raise CommandError("interrupted; nothing was sent", returncode=INTERRUPTED) from None
        if checked.errors and not self._options["skip_invalid"]:
            self._tell(job, checked, None)
            raise CommandError(
                f"{checked.errors} of {checked.rows} rows are wrong; nothing was sent. Correct"
                " them, or leave them out with --skip-invalid."
            )
        if self._options["dry_run"] or not checked.sendable:
            self._tell(job, checked, None)
            return
        self._send(job, checked)

    def _send(self, job: Job, checked: Checked) -> None:
        sent = importing.start(job, checked)
        if sent.campaigns and not self._options["json"]:
            self.stderr.write(
                f"{sent.earlier} were sent before, in {len(sent.campaigns)} campaign(s), the last"
                f" one {sent.campaigns[-1]}; they are not sent again"
            )
        try:
            with _bar("sent", checked.rows) as bar:
                importing.send(job, checked, sent, progress=_step(bar))
        except (KeyboardInterrupt, BulkSmsError) as error:
            self._tell(job, checked, sent)
            by_hand = isinstance(error, KeyboardInterrupt)
            why = "interrupted" if by_hand else str(error).rstrip(".")
            raise CommandError(
                f"{why}; {sent.queued + sent.earlier} of {checked.sendable} are on their way."
                " Repeat the same command to go on; nothing is sent twice.",
                returncode=INTERRUPTED if by_hand else 1,
            ) from error
        self._tell(job, checked, sent)

    # What is said

    def _tell_error(self, error: RowError) -> None:
        if self._options["json"]:
            self._errors.append(error)
            return
        with tqdm.external_write_mode(file=sys.stderr):
            column = f", {error.column}" if error.column else ""
            self.stderr.write(f"line {error.line}{column}: {error.detail} ({error.code})")

    def _tell(self, job: Job, checked: Checked, sent: Series | None) -> None:
        if self._options["json"]:
            self.stdout.write(json.dumps(self._document(job, checked, sent)))
            return
        cost = money.sentence(checked.cost_micros, checked.currency)
        self.stdout.write(
            f"{checked.sendable} of {checked.rows} rows can be sent, in {checked.units} parts,"
            f" for {cost} ({checked.errors} wrong, {checked.duplicates} duplicates left out)"
        )
        if sent is not None:
            paid = money.sentence(sent.cost_micros, checked.currency)
            refused = f", {sent.failed} refused meanwhile" if sent.failed else ""
            self.stdout.write(f"{sent.queued} queued now for {paid}{refused}")
            for campaign in sent.campaigns:
                self.stdout.write(f"  campaign {campaign}")

    def _document(self, job: Job, checked: Checked, sent: Series | None) -> dict[str, Any]:
        found = sent or Series(job.organisation, job.key)
        return {
            "rows": checked.rows, "sendable": checked.sendable, "wrong": checked.errors,
            "duplicates": checked.duplicates, "parts": checked.units,
            "cost": money.amount(checked.cost_micros), "currency": checked.currency,
            "queued": found.queued, "queued_cost": money.amount(found.cost_micros),
            "sent_before": found.earlier, "campaigns": [str(id_) for id_ in found.campaigns],
            "dry_run": self._options["dry_run"],
            "errors": [error._asdict() for error in self._errors],
        }  # fmt: skip


def _job(table: Table, options: Any) -> Job:
    slug, at = options["organisation"], options["at"]
    said = Options(
        message=_message(options), sender_id=options["sender"], priority=options["priority"],
        scheduled_at=None if at is None else _moment(at), name=options["name"],
        max_cost=options["max_cost"], sensitive=options["sensitive"],
    )  # fmt: skip
    owner = find_organisation(slug) if slug else organisations.house()
    return Job(
        owner, table, said, options["phone_column"], options["message_column"],
        options["allow_empty"],
    )  # fmt: skip


def _message(options: Any) -> str | None:
    if options["message_file"] is not None:
        text: str = options["message_file"].read_text(encoding=UTF8)
        return text.removesuffix("\n")
    return None if options["message_column"] else options["message"]


def _moment(text: str) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"--at {text!r} is no moment like 2026-01-31T08:00+03:00") from None


@contextmanager
def _no_collections() -> Iterator[None]:
    """Rows make no cycles, and looking for some among 10,000 takes a third of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def _table(options: Any) -> Iterator[Table]:
    """The file; standard input is kept in a file for the time, because it is read twice."""
    more = {"encoding": options["encoding"], "delimiter": options["delimiter"]}
    if options["file"] != "-":
        yield Table(Path(options["file"]), **more, name=options["file"])
        return
    with tempfile.TemporaryDirectory(prefix="bulksms-") as folder:
        path = Path(folder) / "standard-input.csv"
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        yield Table(path, **more, name="standard input")


def _bar(what: str, total: int | None = None) -> Any:
    return tqdm(total=total, unit=f" rows {what}", leave=False, disable=None)


def _step(bar: Any) -> Any:
    def step(rows: int) -> None:
        bar.update(rows)
        if not connection.force_debug_cursor:
            reset_queries()  # with DEBUG on Django would keep them

    return step
