"""docs/reference/errors.md has every code that an answer can have, and none that none has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from bulksms import exceptions, reasons
from bulksms.api import errors

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reference" / "errors.md").read_text()

#: Written with the label's name in them (``services.labels``).
OF_LABELS = {
    code for name in ("reference", "user_label", "name")
    for code in (f"{name}_too_long", f"invalid_{name}")
}  # fmt: skip

#: Codes that no request over HTTP can meet: operators' commands, the wallet's own rules.
NOT_HTTP = {
    "invalid_slug", "invalid_currency", "invalid_time_zone", "invalid_region",
    "slug_taken", "invalid_sender_id", "invalid_request", "invalid_report", "no_such_carrier",
    "same_carrier",
    # of sending a file, in pieces
    "already_sending", "changed", "invalid_key",
}  # fmt: skip


def field_codes() -> Iterator[str]:
    """The second argument of every FieldError in the sources, and every ``code=`` of a refusal."""
    for folder in ("api", "services"):
        for file in (ROOT / "bulksms" / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call):
                    yield from _codes(node)


def _codes(call: ast.Call) -> Iterator[str]:
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    if name == "FieldError" and len(call.args) > 1 and isinstance(call.args[1], ast.Constant):
        yield str(call.args[1].value)
    if name in ("Conflict", "PaymentRequired", "SendingStopped"):
        yield from (str(k.value.value) for k in call.keywords
                    if k.arg == "code" and isinstance(k.value, ast.Constant))  # fmt: skip


def whole_request_codes() -> set[str]:
    raised = {cls.code for cls in errors.STATUSES} | {code for code, _ in errors.FRAMEWORK.values()}
    return raised - {exceptions.Conflict.code, "forbidden"}


def documented() -> set[str]:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ")]
    cells = [re.sub(r"^\| \d+ ", "", row).split("|")[1] for row in rows]
    return {code for cell in cells for code in re.findall(r"`([a-z_]+)`", cell)}


def test_every_code_is_on_the_page() -> None:
    found = set(field_codes()) | whole_request_codes() | OF_LABELS
    missing = found - NOT_HTTP - documented()

    assert sorted(missing) == [], "write it in errors.md, or NOT_HTTP if no request meets it"


def test_the_page_has_no_code_that_there_is_not() -> None:
    known = set(field_codes()) | whole_request_codes() | reasons.OUR_ERRORS
    known |= {"spend_cap_reached", "insufficient_balance"} | OF_LABELS

    assert sorted(documented() - known) == []


def test_every_reason_of_our_own_for_a_single_message_is_on_the_page() -> None:
    missing = [code for code in reasons.OUR_ERRORS if f"`{code}`" not in PAGE]

    assert missing == []
