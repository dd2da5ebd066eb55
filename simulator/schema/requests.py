"""Readers of the request knobs (latency, losses, drops, answers) and of the shared-state knobs."""

from __future__ import annotations

from simulator.engine import words
from simulator.engine.knobs import (
    Answer,
    Body,
    CloseIdle,
    Credit,
    DropAfter,
    Latency,
    Lose,
    Outcome,
    ProcessLate,
    Queue,
    Refuse,
    Rows,
    Span,
    Throttle,
)
from simulator.schema.errors import Problem
from simulator.schema.readers import (
    SECOND_US,
    Problems,
    choice,
    flag,
    real,
    seconds,
    span_seconds,
    table,
    text,
    whole,
)

_how = choice("reset", "close", "silence", "status")
_tries = whole(1, 1_000)
_retry_after = choice("right", "missing", "date", "lying")
_per = choice("request", "message")
_MOST_PER_SECOND = 1_000_000


def latency(raw: object, place: str, problems: Problems) -> Latency:
    """Read `latency`: seconds, `[low, high]`, `{median_s, sigma}` or `{spike_s, share, base_s}`."""
    if not isinstance(raw, dict):
        low, high = span_seconds(raw, place, problems)
        return Latency("fixed" if low == high else "uniform", low, high)
    read = table(
        raw,
        place,
        problems,
        {
            "median_s": seconds,
            "sigma": real(0, 5),
            "spike_s": seconds,
            "share": real(0, 100),
            "base_s": seconds,
        },
    )
    if ("median_s" in read) == ("spike_s" in read):
        problems.append(Problem(place, "give either median_s (and sigma) or spike_s (and share)"))
    if "median_s" in read:
        return Latency("lognormal", read["median_s"], sigma=read.get("sigma", 0.5))
    return Latency(
        "spike", read.get("base_s", 0), read.get("spike_s", 0), share=read.get("share", 1.0)
    )


def lose(raw: object, place: str, problems: Problems) -> Lose:
    """Read `lose_answer` or `lose_request`: how, a status, or `{how, status, tries}`."""
    if isinstance(raw, str):
        return Lose(how=_how(raw, place, problems))
    if isinstance(raw, int):
        return Lose(how="status", status=whole(400, 599)(raw, place, problems))
    readers = {"how": _how, "status": whole(400, 599), "tries": _tries}
    read = table(raw, place, problems, readers)
    how = read.get("how", "status" if "status" in read else "reset")
    return Lose(how=how, status=read.get("status", 502), tries=read.get("tries"))


def process_late(raw: object, place: str, problems: Problems) -> ProcessLate:
    """Read `process_late`: seconds, or `{after_s, how, status, tries}`."""
    given = raw if isinstance(raw, dict) else {"after_s": raw}
    readers = {"after_s": span_seconds, "how": _how, "status": whole(400, 599), "tries": _tries}
    read = table(given, place, problems, readers)
    return ProcessLate(
        delay=read.get("after_s", Span(30 * SECOND_US, 30 * SECOND_US)),
        how=read.get("how", "reset"),
        status=read.get("status", 504),
        tries=read.get("tries"),
    )


def drop_after(raw: object, place: str, problems: Problems) -> DropAfter:
    """Read `drop_after`: how many are accepted first, or `{accepted, how, tries}`."""
    given = raw if isinstance(raw, dict) else {"accepted": raw}
    how = choice("reset", "close", "silence")
    read = table(given, place, problems, {"accepted": whole(0, 1_000), "how": how, "tries": _tries})
    if "accepted" not in read:
        problems.append(Problem(place, "accepted is missing: how many are taken before the drop"))
    return DropAfter(read.get("accepted", 0), read.get("how", "reset"), read.get("tries"))


def answer(raw: object, place: str, problems: Problems) -> Answer:
    """Read `answer`: a code, or `{code, status, detail, retry_after_s, tries}`."""
    given = raw if isinstance(raw, dict) else {"code": raw}
    readers = {
        "code": text,
        "status": whole(400, 599),
        "detail": text,
        "retry_after_s": whole(0, 10**6),
        "tries": _tries,
    }
    read = table(given, place, problems, readers)
    code = read.get("code", "")
    if "status" not in read and code not in words.STATUS_OF_CODE:
        problems.append(Problem(place, f"code {code!r} has no status of its own: give a status"))
    return Answer(
        code=code,
        status=read.get("status", words.STATUS_OF_CODE.get(code, 500)),
        detail=read.get("detail", words.DETAIL_OF_CODE.get(code, code)),
        retry_after_s=read.get("retry_after_s"),
        tries=read.get("tries"),
    )


def rows(raw: object, place: str, problems: Problems) -> Rows:
    """Read `rows`: `{shuffled, missing, extra}`."""
    readers = {"shuffled": flag, "missing": whole(0, 1_000), "extra": whole(0, 1_000)}
    return Rows(**table(raw, place, problems, readers))


def body(raw: object, place: str, problems: Problems) -> Body:
    """Read `body`: how, or `{how, size_bytes, seconds}`."""
    given = raw if isinstance(raw, dict) else {"how": raw}
    how = choice(
        "invalid_json", "html", "empty", "wrong_type", "huge", "dribble", "redirect", "truncated"
    )
    read = table(
        given,
        place,
        problems,
        {"how": how, "size_bytes": whole(1, 100_000_000), "seconds": real(0, 600)},
    )
    return Body(**{"how": "invalid_json", **read})


def close_idle(raw: object, place: str, problems: Problems) -> CloseIdle:
    """Read `close_idle`: seconds of real time after the answer."""
    return CloseIdle(after_us=seconds(raw, place, problems))


def throttle(raw: object, place: str, problems: Problems) -> Throttle | Outcome:
    """Read `throttle`: `{parts_per_second, burst, retry_after, per}` or, order-free, `{tries}`.

    The `share` of the order-free form is read as the share of the rule's match.
    """
    if isinstance(raw, dict) and "parts_per_second" not in raw:
        read = table(raw, place, problems, {"share": real(0, 100), "tries": _tries})
        if not raw:
            problems.append(Problem(place, "give parts_per_second, or share and tries"))
        detail = words.DETAIL_OF_CODE["throttled"]
        return Outcome(Refuse("throttled", detail, read.get("tries", 1)), ())
    readers = {
        "parts_per_second": real(0.001, _MOST_PER_SECOND),
        "burst": whole(1),
        "retry_after": _retry_after,
        "per": _per,
    }
    read = table(raw, place, problems, readers)
    rate = read.get("parts_per_second", 1.0)
    return Throttle(
        rate_micro=round(rate * 1_000_000),
        burst=read.get("burst", max(1, round(rate))),
        retry_after=read.get("retry_after", "right"),
        per=read.get("per", "request"),
    )


def queue(raw: object, place: str, problems: Problems) -> Queue:
    """Read `queue`: `{depth, drain_per_second, retry_after, per}`."""
    readers = {
        "depth": whole(1),
        "drain_per_second": real(0.001, _MOST_PER_SECOND),
        "retry_after": _retry_after,
        "per": _per,
    }
    read = table(raw, place, problems, readers)
    for key in ("depth", "drain_per_second"):
        if key not in read:
            problems.append(Problem(place, f"{key} is missing"))
    return Queue(
        depth=read.get("depth", 1),
        drain_micro=round(read.get("drain_per_second", 1.0) * 1_000_000),
        retry_after=read.get("retry_after", "right"),
        per=read.get("per", "request"),
    )


def credit(raw: object, place: str, problems: Problems) -> Credit:
    """Read `credit`: parts, or `{parts, code}`."""
    given = raw if isinstance(raw, dict) else {"parts": raw}
    code = choice("out_of_credit", "sender_not_registered", "account_suspended")
    read = table(given, place, problems, {"parts": whole(0), "code": code})
    if "parts" not in read:
        problems.append(Problem(place, "parts is missing"))
    return Credit(read.get("parts", 0), read.get("code", "out_of_credit"))
