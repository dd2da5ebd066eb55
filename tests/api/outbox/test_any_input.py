"""Any JSON in any field of any endpoint: an answer in this dialect's shape, never a 500.

A field gets a right value, a value of another field, or something made up; a request that is
accepted must add up.
"""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.api.helpers import Api
from tests.api.outbox.helpers import PAGE_BODY, SCHEDULE, SEND, SEND_BULK

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

#: `make properties` runs 2,000, the suite fewer.
CASES = min(int(os.environ.get("BULKSMS_CASES", "60")), 2_000)

TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["\x00", "\x7f", "{name}", "{{", "é" * 300, "😀" * 30, "0" * 300, "\u202e", ""]
    ),
)
NUMBERS = st.one_of(
    st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.just(10**300), st.just(-0.0)
)
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
RIGHT: dict[str, Any] = {
    **PAGE_BODY,
    "messageId": None,
    "recipient": "+254712345678",
    "recipientPhoneNumber": "0712345678",
    "variables": {"name": "Wanjiru"},
    "timeZone": "Africa/Nairobi",
    "scheduleTime": "2026-01-06T08:00:00",
}
VALUE = st.one_of(
    ANYTHING, st.sampled_from([json.dumps(v) for v in RIGHT.values()]).map(json.loads)
)


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """Right fields, of which some have another value, and now and then one that is unknown."""
    names = draw(st.sets(st.sampled_from(sorted(RIGHT)), max_size=6)) | {"message"}
    changed = draw(st.dictionaries(st.sampled_from(sorted(RIGHT)), VALUE, max_size=2))
    odd = draw(st.dictionaries(TEXTS, ANYTHING, max_size=1)) if draw(st.integers(0, 9)) == 0 else {}
    return {name: RIGHT[name] for name in names} | changed | odd


REQUESTS = st.one_of(
    st.tuples(st.just(SEND_BULK), bodies().map(lambda body: body | {"recipients": ["0712345678"]})),
    st.tuples(st.just(SEND_BULK), bodies()),
    st.tuples(st.just(SEND_BULK), st.lists(bodies() | ANYTHING, max_size=3)),
    st.tuples(st.just(SEND), bodies()),
    st.tuples(st.just(SCHEDULE), bodies()),
    st.tuples(st.just("/api/sms/cancel-schedule"), st.fixed_dictionaries({"scheduleId": VALUE})),
    st.tuples(
        st.just("/api/sms/outbox/x/retry"), st.fixed_dictionaries({"nestedOutboxIds": VALUE})
    ),
)


@given(request_=REQUESTS)
@settings(
    max_examples=CASES, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
def test_any_input_gets_an_answer(api: Api, request_: tuple[str, Any]) -> None:
    path, body = request_
    text = json.dumps(body, allow_nan=False)
    with transaction.atomic():
        answer = api.raw(path, text.encode("utf-8", "surrogatepass"))
        transaction.set_rollback(True)

    event(f"{path} {answer.status_code}")
    found = answer.json()
    if answer.status_code in (200, 201):
        assert found["status"] == "success"
        if entry := found.get("bulkOutboxEntry"):
            rows = entry["nestedOutbox"]
            assert entry["totalSmsUnitsUsed"] == sum(row["smsUnitsUsed"] for row in rows)
            assert len(rows) + entry["duplicates"] == len(body["recipients"])
    else:
        assert answer.status_code in (400, 402, 403, 404, 409, 429), text
        assert {"status", "message", "code", "errors"} <= set(found)
        assert found["status"] == "error"
