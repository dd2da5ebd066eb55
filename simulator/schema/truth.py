"""Readers of the truth knobs: refuse, report, id_form, price, reply, query."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any, get_args

from simulator.engine import words
from simulator.engine.knobs import (
    ONE_SECOND,
    IdForm,
    IdForms,
    Outcome,
    PartsSpec,
    Price,
    Query,
    Refuse,
    Reply,
    ReportSpec,
    Span,
)
from simulator.schema.errors import Problem
from simulator.schema.readers import (
    Problems,
    choice,
    describe,
    flag,
    one_or_many,
    seconds,
    span_seconds,
    table,
    text,
    whole,
)

_REPORT_FIELDS = ("report_id", "id", "client_ref", "to", "status", "code", "at")
_PER_MESSAGE_CODES = words.TEMPORARY_CODES | words.PERMANENT_CODES | words.STOPPED_CODES
_tries = whole(1, 1_000)


def default_tries(code: str) -> int | None:
    """Return how often a refusal is repeated where its rule says nothing: temporary ones once."""
    return 1 if code in words.TEMPORARY_CODES else None


def refuse(raw: object, place: str, problems: Problems) -> Outcome:
    """Read `refuse`: a code, or `{code, detail, tries, report}`."""
    given = raw if isinstance(raw, dict) else {"code": raw}
    read = table(
        given,
        place,
        problems,
        {
            "code": choice(*sorted(_PER_MESSAGE_CODES)),
            "detail": text,
            "tries": _tries,
            "report": report,
        },
    )
    if isinstance(raw, dict) and "code" not in raw:
        problems.append(Problem(place, "a code is missing"))
    code = read.get("code", "temporary_failure")
    refusal = Refuse(
        code=code,
        detail=read.get("detail", words.DETAIL_OF_CODE[code]),
        tries=read.get("tries", default_tries(code)),
    )
    follow_up: Outcome | None = read.get("report")
    return Outcome(refusal, follow_up.reports if follow_up else ())


def report(raw: object, place: str, problems: Problems) -> Outcome:
    """Read `report`: false (never), a state, one plan, `{parts: [...]}`, or a list of plans."""
    if raw is False:
        return Outcome(reports=())
    if isinstance(raw, dict) and "parts" in raw:
        return Outcome(reports=(), parts=_parts(raw, place, problems))
    return Outcome(reports=one_or_many(_report)(raw, place, problems))


def _parts(raw: dict[str, Any], place: str, problems: Problems) -> PartsSpec:
    read = table(raw, place, problems, {"parts": one_or_many(text), "delay_s": span_seconds})
    return PartsSpec(states=read["parts"] or (words.DELIVERED,), delay=read.get("delay_s"))


def _report(raw: object, place: str, problems: Problems) -> ReportSpec:
    given = {"state": raw} if isinstance(raw, str) else raw
    read = table(
        given,
        place,
        problems,
        {
            "state": text,
            "code": text,
            "delay_s": _delay,
            "copies": whole(1, 100),
            "gap_s": seconds,
            "before_answer": flag,
            "id": _id_kind,
            "omit": one_or_many(choice(*_REPORT_FIELDS)),
        },
    )
    delay = read.get("delay_s")
    spec = ReportSpec(
        state=read.get("state", words.DELIVERED),
        code=read.get("code"),
        delay=delay if isinstance(delay, Span) else None,
        at_validity_end=delay == "validity",
    )
    return replace(
        spec,
        copies=read.get("copies", spec.copies),
        gap_us=read.get("gap_s", spec.gap_us),
        before_answer=read.get("before_answer", False),
        id_kind=read.get("id", spec.id_kind),
        omit=frozenset(read.get("omit", ())),
    )


def _delay(raw: object, place: str, problems: Problems) -> Span | str:
    return "validity" if raw == "validity" else span_seconds(raw, place, problems)


def _id_kind(raw: object, place: str, problems: Problems) -> str:
    word = text(raw, place, problems)
    if word not in ("own", "unknown") and not word.startswith("account:"):
        problems.append(Problem(place, f"expected own, unknown or account:NAME, got {word!r}"))
    return word


def id_form(raw: object, place: str, problems: Problems) -> IdForms:
    """Read `id_form`: a form, or `{answer, report}`."""
    form = choice(*get_args(IdForm))
    if not isinstance(raw, dict):
        word = form(raw, place, problems)
        return IdForms(word, word)
    read = table(raw, place, problems, {"answer": form, "report": form})
    return IdForms(read.get("answer", "hex"), read.get("report", "hex"))


def price(raw: object, place: str, problems: Problems) -> Price:
    """Read `price`: "KES 0.8000" per part, or `{amount, currency, form}`."""
    given = raw
    if isinstance(raw, str):
        currency, _, amount = raw.partition(" ")
        given = {"amount": amount, "currency": currency}
    read = table(
        given,
        place,
        problems,
        {
            "amount": _amount_micros,
            "currency": text,
            "form": choice("text", "number", "comma", "missing", "zero"),
        },
    )
    return Price(
        amount_micros=read.get("amount", 800_000),
        currency=read.get("currency", "KES"),
        form=read.get("form", "text"),
    )


def _amount_micros(raw: object, place: str, problems: Problems) -> int:
    try:
        amount = Decimal(str(raw))
    except InvalidOperation:
        problems.append(Problem(place, f"expected an amount such as 0.8000, got {describe(raw)}"))
        return 0
    if not amount.is_finite() or not 0 <= amount <= 1_000_000:
        problems.append(Problem(place, f"expected an amount from 0 to 1000000, got {amount}"))
        return 0
    return int(amount * 1_000_000)


def reply(raw: object, place: str, problems: Problems) -> Reply:
    """Read `reply`: a text, or `{text, delay_s, from}`."""
    given = {"text": raw} if isinstance(raw, str) else raw
    read = table(given, place, problems, {"text": text, "delay_s": span_seconds, "from": text})
    if "text" not in read:
        problems.append(Problem(place, "a text is missing"))
    return Reply(
        text=read.get("text", ""),
        delay=read.get("delay_s", ONE_SECOND),
        sender=read.get("from"),
    )


def query(raw: object, place: str, problems: Problems) -> Query:
    """Read `query`: `{lag_s, forget_after_s, status, tries}`."""
    read = table(
        raw,
        place,
        problems,
        {
            "lag_s": seconds,
            "forget_after_s": seconds,
            "status": whole(400, 599),
            "tries": _tries,
        },
    )
    if "tries" in read and "status" not in read:
        problems.append(Problem(f"{place}.tries", "tries count failures: give a status too"))
    return Query(
        lag_us=read.get("lag_s", 0),
        forget_after_us=read.get("forget_after_s"),
        status=read.get("status"),
        tries=read.get("tries"),
    )
