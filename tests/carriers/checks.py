"""What must hold for every answer of every carrier, whatever happened on the way."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping, Sequence

from msgspec.structs import astuple

from bulksms import states
from bulksms.carriers.base import (
    MAX_CODE,
    MAX_DETAIL,
    MAX_REF,
    ON_ITS_WAY,
    Carrier,
    OutboundSms,
    ParsedReport,
    SubmitResult,
)  # fmt: skip
from simulator.testing import InProcessTransport
from tests.carriers.kinds import Counted, Kind

OUTCOMES = {"accepted", "refused", "unknown", "stopped"}
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
A_WEEK_S = 7 * 24 * 3600


def ask(
    carrier: Carrier, batch: Sequence[OutboundSms], timeout_s: float = 5.0
) -> Mapping[str, SubmitResult]:
    """Prepare and submit; every result is of an allowed form."""
    prepared = carrier.prepare(batch)
    asked, refused = set(prepared.references), set(prepared.unencodable)
    assert not asked & refused
    assert asked | refused == {sms.reference for sms in batch}
    results = carrier.submit(prepared, time.monotonic() + timeout_s)
    assert set(results) <= asked
    for result in results.values():
        check_result(result)
    return results


def check_result(result: SubmitResult) -> None:
    assert result.outcome in OUTCOMES
    assert not result.temporary or result.outcome == "refused"
    assert result.outcome == "accepted" or result.code
    texts = (result.carrier_ref, MAX_REF), (result.code, MAX_CODE), (result.detail, MAX_DETAIL)
    for text, limit in texts:
        assert isinstance(text, str)
        assert len(text) <= limit
        assert not UNSTORABLE.search(text)
    wait = result.retry_after_s
    assert wait is None or (math.isfinite(wait) and 0 <= wait <= 3600)


def check_report(report: ParsedReport) -> None:
    assert report.state in states.REPORTED | {ON_ITS_WAY}
    assert report.dedupe_key
    assert len(report.dedupe_key) <= MAX_REF
    assert len(report.carrier_ref) <= MAX_REF
    assert len(report.reference) <= MAX_CODE
    assert len(report.code) <= MAX_CODE
    assert not any(UNSTORABLE.search(text) for text in astuple(report))


def claims_nothing_was_taken(result: SubmitResult | None) -> bool:
    """Whether the outbox would ask again because of this result."""
    return result is not None and (result.outcome == "stopped" or result.temporary)


def check_truth(
    kind: Kind,
    house: InProcessTransport,
    batch: Sequence[OutboundSms],
    results: Mapping[str, SubmitResult],
) -> None:
    """No result says more than is true, also of what the house takes up later."""
    house.advance(A_WEEK_S, lambda _headers, _body: 200)
    for sms in batch:
        result = results.get(sms.reference)
        taken = kind.accepted(house, sms)
        assert taken <= 1
        if result is not None and result.outcome == "accepted":
            assert taken == 1, f"{sms.reference} was not taken: {result}"
        elif result is not None and result.outcome != "unknown":
            assert taken == 0, f"{sms.reference} was taken: {result}"


def ask_house(
    kind: Kind,
    house: InProcessTransport,
    batch: Sequence[OutboundSms],
    timeout_s: float = 5.0,
    **options: object,
) -> Mapping[str, SubmitResult]:
    """Ask a simulated house once, and hold every result against what it knows to be true."""
    counted = Counted(house)
    results = ask(kind.build(counted, **options), batch, timeout_s)
    assert counted.posts == 1
    check_truth(kind, house, batch, results)
    return results
