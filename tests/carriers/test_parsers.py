"""Report callbacks: anything may come to their address, and InvalidReport is all that is raised."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from bulksms import clock, states
from bulksms.carriers.base import ON_ITS_WAY, Carrier, ParsedReport
from bulksms.exceptions import InvalidReport
from tests.carriers.checks import check_report
from tests.carriers.kinds import AFRICASTALKING, HTTP, LOCMEM, Kind, Scripted

SECRET = "whsec_dGVzdHMgb25seTogbm90IGEgc2VjcmV0"
CARRIERS = {
    "locmem": LOCMEM.build(),
    "http": HTTP.build(Scripted()),
    "signed": HTTP.build(Scripted(), report_secret=SECRET),
    "africastalking": AFRICASTALKING.build(Scripted()),
}

_any_text = st.text(st.characters(), max_size=30)  # also NUL and halves of surrogate pairs
_values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=200),
    st.sampled_from(["delivered", "Success", "None", "0", "1" * 130, 10**30]),
)  # fmt: skip
_fields = st.dictionaries(
    st.sampled_from(["report_id", "id", "client_ref", "to", "status", "code", "at", "part", "parts",
                     "reports", "phoneNumber", "failureReason", "networkCode", "retryCount"]),
    _values | st.lists(_values, max_size=3),
)  # fmt: skip
_forms = st.lists(
    st.tuples(
        st.sampled_from(["id", "status", "phoneNumber", "failureReason", "retryCount", "x"]),
        st.text(st.characters(exclude_categories=("Cs",)), max_size=80),
    ),
    max_size=8,
).map(lambda pairs: urlencode(pairs).encode())
BODIES = st.one_of(
    st.binary(max_size=300),
    _fields.map(lambda row: json.dumps(row).encode()),
    st.lists(_fields, max_size=4).map(lambda rows: json.dumps({"reports": rows}).encode()),
    _forms,
    st.sampled_from([b"[" * 100_000, b"{}", b'{"id": 1e999}', b"&" * 1000, b"id=%FF&status=%00"]),
)


@given(
    name=st.sampled_from(sorted(CARRIERS)),
    body=BODIES,
    headers=st.dictionaries(
        _any_text
        | st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature", "content-type"]),
        _any_text | st.sampled_from(["v1,abc", "0", "-1", "9" * 5000, "1767225600"]),
        max_size=5,
    ),
)
def test_nothing_but_invalid_report_is_ever_raised(
    name: str, body: bytes, headers: dict[str, str]
) -> None:
    with suppress(InvalidReport):
        for report in CARRIERS[name].parse_reports(headers, body):
            check_report(report)


@given(body=BODIES)
def test_nor_for_what_is_signed(body: bytes) -> None:
    with suppress(InvalidReport, UnicodeDecodeError):
        headers = signature(body.decode())
        for report in CARRIERS["signed"].parse_reports(headers, body):
            check_report(report)


@given(body=BODIES, name=st.sampled_from(sorted(CARRIERS)))
def test_the_same_body_is_the_same_reports(body: bytes, name: str) -> None:
    with suppress(InvalidReport):
        first, second = (CARRIERS[name].parse_reports({}, body) for _ in range(2))
        assert first == second


# JSON


def signature(body: str, *, seconds_ago: int = 0) -> dict[str, str]:
    sent_at = clock.now() - timedelta(seconds=seconds_ago)
    return {
        "webhook-id": "m1",
        "webhook-timestamp": str(int(sent_at.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("m1", sent_at, body),
    }


def parse_json(*rows: dict[str, Any]) -> list[ParsedReport]:
    return list(CARRIERS["http"].parse_reports({}, json.dumps({"reports": rows}).encode()))


@pytest.mark.parametrize("seconds_ago", [0, 299, -299])
def test_a_signature_is_good_for_five_minutes(seconds_ago: int) -> None:
    body = '{"id": "7", "status": "delivered"}'
    headers = signature(body, seconds_ago=seconds_ago)

    assert len(CARRIERS["signed"].parse_reports(headers, body.encode())) == 1


@pytest.mark.parametrize("seconds_ago", [302, -302])
def test_a_signature_from_another_time_is_a_replay(seconds_ago: int) -> None:
    body = '{"id": "7", "status": "delivered"}'

    with pytest.raises(InvalidReport, match="too old or too new"):
        CARRIERS["signed"].parse_reports(signature(body, seconds_ago=seconds_ago), body.encode())


@pytest.mark.parametrize("body", [b"", b"x", b"[]", b"null", b"{}", b'{"status": "delivered"}'])
def test_what_names_no_message_is_no_report(body: bytes) -> None:
    with pytest.raises(InvalidReport):
        CARRIERS["http"].parse_reports({}, body)


def test_one_report_without_a_name_does_not_lose_the_others() -> None:
    rows = parse_json({"id": "7", "status": "delivered"}, {"status": "delivered"})

    assert [(row.carrier_ref, row.state) for row in rows] == [
        ("7", "delivered"), ("", "delivered"),
    ]  # fmt: skip


def test_ids_are_texts_whatever_they_were() -> None:
    rows = parse_json(*({"id": given, "status": "delivered"}
                        for given in ("7", 7, 9308878062554710043, " 7 ", None)))  # fmt: skip

    assert [row.carrier_ref for row in rows] == ["7", "7", "9308878062554710043", "7", ""]


def test_a_key_too_long_to_keep_does_not_merge_two_reports() -> None:
    long = "k" * 200
    first, second = parse_json(
        {"report_id": long + "1", "id": "7", "status": "delivered"},
        {"report_id": long + "2", "id": "7", "status": "delivered"},
    )

    assert first.dedupe_key != second.dedupe_key


@pytest.mark.parametrize(
    ("status", "state"),
    [("delivered", "delivered"), ("undelivered", "undelivered"), ("enroute", ON_ITS_WAY)],
)
def test_a_report_of_one_part_says_which_and_what_became_of_it(status: str, state: str) -> None:
    (report,) = parse_json({"id": "7", "status": status, "part": 2, "parts": 3})

    assert (report.state, report.part) == (state, "2/3")


def test_the_only_part_is_the_message() -> None:
    (report,) = parse_json({"id": "7", "status": "delivered", "part": 1, "parts": 1})

    assert (report.state, report.part) == (states.DELIVERED, "")


# Forms


def parse_form(carrier: Carrier = CARRIERS["africastalking"], **fields: str) -> ParsedReport:
    (report,) = carrier.parse_reports({}, urlencode(fields).encode())
    return report


@pytest.mark.parametrize(
    ("status", "reason", "state", "code"),
    [
        ("Success", "", "delivered", ""),
        ("Failed", "UserIsInactive", "undelivered", "UserIsInactive"),
        ("Rejected", "UserInBlackList", "rejected", "UserInBlackList"),
        ("Expired", "", "expired", ""),
        ("Sent", "", ON_ITS_WAY, ""),
        ("Submitted", "", ON_ITS_WAY, ""),
        ("Buffered", "", ON_ITS_WAY, ""),
        ("AbsentSubscriber", "", ON_ITS_WAY, ""),
        ("Teleported", "Beam", ON_ITS_WAY, "Teleported:Beam"),
    ],
)
def test_africastalking_words(status: str, reason: str, state: str, code: str) -> None:
    form = {"id": "ATXid_1", "status": status, "phoneNumber": "+254711000001"}
    report = parse_form(**form, **({"failureReason": reason} if reason else {}))

    assert (report.carrier_ref, report.reference) == ("ATXid_1", "")
    assert (report.state, report.code) == (state, code)
    assert json.loads(report.raw)["phoneNumber"] == "+254711000001"


def test_the_same_news_is_one_report_and_other_news_another() -> None:
    news = {"id": "ATXid_1", "status": "Buffered"}
    first = parse_form(**news, retryCount="0", networkCode="63902").dedupe_key

    assert parse_form(**news, retryCount="1").dedupe_key == first
    assert parse_form(**{**news, "status": "Success"}).dedupe_key != first
    assert parse_form(**{**news, "id": "ATXid_2"}).dedupe_key != first


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{}", b"id=ATXid_1", b"status=Success", b"id=&status=Success",
        b"id=None&status=Success", b"id=1&id=2&status=Success",
        b"id=1&status=Success&status=Failed",
        b"from=%2B254711000001&to=2345&text=STOP&id=9&date=2026-01-01&linkId=1",
        b"senderId=SHOP&phoneNumber=%2B254711000001", b"&".join([b"a=b"] * 100), b"id=%00&status=x",
    ],
)  # fmt: skip
def test_other_forms_are_no_delivery_reports(body: bytes) -> None:
    with pytest.raises(InvalidReport):
        CARRIERS["africastalking"].parse_reports({}, body)


@pytest.mark.parametrize("kind", [HTTP, AFRICASTALKING], ids=lambda kind: kind.name)
def test_a_carrier_without_a_signature_says_so(kind: Kind) -> None:
    assert kind.build(Scripted()).signs_reports is False
    assert CARRIERS["signed"].signs_reports is True
