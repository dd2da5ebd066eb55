"""``POST /v1/sms/send-bulk/``: the seed page's examples, word for word."""

from __future__ import annotations

import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bulksms.models import Campaign, Hold, Message
from bulksms.services import wallet
from tests.api.helpers import SEND_BULK, Api, world
from tests.factories import kenyan_numbers, make_key, make_organisation

pytestmark = pytest.mark.django_db

SKIPPED = "Processing stopped due to insufficient balance."


def funded(shillings: int, price_micros: int = 1_000_000) -> Api:
    organisation = make_organisation(shillings * 1_000_000, price_micros)
    return Api(make_key(organisation))


def test_the_example_of_the_page(host) -> None:
    answer = funded(2).send(
        "254712345678", "254723456789", "254734567890",
        message="Hi! Your invoice is ready. Log in to view it.", sender_id="TALKNTALK",
    )  # fmt: skip

    body = answer.json()
    first, second = Message.objects.filter(intake_status="queued").order_by("id")
    assert answer.status_code == 207
    assert body == {
        "campaign_id": str(Campaign.objects.get().id),
        "queued": 2,
        "failed": 1,
        "total": 3,
        "duplicates": 0,
        "sender_id": "TALKNTALK",
        "total_cost": "2.00",
        "currency": "KES",
        "results": [
            {"id": str(first.id), "mobile": "254712345678", "status": "queued"},
            {"id": str(second.id), "mobile": "254723456789", "status": "queued"},
        ],
        "errors": [
            {
                "mobile": "254734567890",
                "error": "insufficient_balance",
                "detail": "Insufficient balance. Required KES 1.00, available KES 0.00.",
            }
        ],
    }
    assert answer["Content-Type"] == "application/json"


def test_after_the_first_that_cannot_be_paid_all_are_skipped() -> None:
    numbers = kenyan_numbers(5)

    body = funded(2).send(*numbers).json()

    assert (body["queued"], body["failed"], body["total"]) == (2, 3, 5)
    assert [(e["mobile"], e["error"]) for e in body["errors"]] == [
        (numbers[2], "insufficient_balance"),
        (numbers[3], "skipped"),
        (numbers[4], "skipped"),
    ]
    assert {e["detail"] for e in body["errors"][1:]} == {SKIPPED}


def test_201_when_everything_is_queued(api, organisation) -> None:
    answer = api.send(*kenyan_numbers(3))

    assert answer.status_code == 201
    assert answer.json()["errors"] == []
    assert wallet.of(organisation).available_micros == 7_000_000
    assert Hold.objects.get().held_micros == 3_000_000


def test_207_also_when_nothing_is_queued(host) -> None:
    api = funded(0)

    answer = api.send(*kenyan_numbers(2))

    assert answer.status_code == 207
    assert answer.json()["results"] == []
    assert answer.json()["total_cost"] == "0.00"


def test_duplicates_are_removed_and_counted(api) -> None:
    body = api.send("254712345678", "0712 345 678", "+254712345678", "254723456789").json()

    assert (body["total"], body["duplicates"], body["queued"]) == (2, 2, 2)


def test_what_was_written_is_echoed_where_it_differs(api) -> None:
    body = api.send("0712 345 678", "254723456789").json()

    assert [(r["mobile"], r.get("input")) for r in body["results"]] == [
        ("254712345678", "0712 345 678"),
        ("254723456789", None),
    ]


def test_bad_recipients_fail_alone_and_keep_their_place(api) -> None:
    body = api.send(
        "12", "254712345678", 254712345678, None, {"a": 1}, "A\x00B", "0202222222"
    ).json()

    assert [result["mobile"] for result in body["results"]] == ["254712345678"]
    assert [(e["mobile"], e["error"]) for e in body["errors"]] == [
        ("12", "invalid_recipient"),
        ("254712345678", "invalid_recipient"),
        ("(NoneType)", "invalid_recipient"),
        ("(dict)", "invalid_recipient"),
        ("A\ufffdB", "invalid_recipient"),
        ("0202222222", "invalid_recipient"),
    ]
    assert all(error["detail"] for error in body["errors"])
    assert "spreadsheet number" in body["errors"][1]["detail"]


def test_other_countries_are_not_allowed_unless_they_are(api) -> None:
    body = api.send("+256772123456").json()

    assert [(e["mobile"], e["error"]) for e in body["errors"]] == [
        ("256772123456", "destination_not_allowed")
    ]


def test_the_sender_is_matched_without_case_and_shown_as_registered(api) -> None:
    assert api.send("254712345678", sender_id="talkntalk").json()["sender_id"] == "TALKNTALK"


def test_the_ids_are_the_messages_in_input_order(api) -> None:
    numbers = kenyan_numbers(5)

    body = api.send(*numbers).json()

    rows = Message.objects.order_by("id").values_list("id", "number")
    assert [(uuid.UUID(r["id"]), r["mobile"]) for r in body["results"]] == list(rows)
    assert [number for _, number in rows] == numbers


def test_an_address_without_its_slash_is_the_same(api) -> None:
    answer = api.post(SEND_BULK[:-1], {"recipients": ["254712345678"], "message": "Hi"})

    assert answer.status_code == 201


def test_two_and_a_half_megabytes_and_more_are_taken(host) -> None:
    """Django's own limit for forms does not count here: 10,000 recipients in a 3 MB body."""
    api = funded(20_000)
    body = b'{"message": "Hi", "recipients": ["%s"]}%s' % (
        '", "'.join(kenyan_numbers(10_000)).encode(),
        b" " * 3_000_000,
    )

    answer = api.raw(SEND_BULK, body)

    assert answer.status_code == 201
    assert answer.json()["queued"] == 10_000


def test_a_byte_order_mark_is_skipped(api) -> None:
    body = b'\xef\xbb\xbf{"recipients": ["254712345678"], "message": "Hi"}'

    assert api.raw(SEND_BULK, body).status_code == 201


def test_of_a_key_that_is_there_twice_the_last_one_counts(api) -> None:
    body = b'{"message": "no", "message": "yes", "recipients": ["254712345678"]}'

    assert api.raw(SEND_BULK, body).status_code == 201
    assert Campaign.objects.get().message == "yes"


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "", "*/*", "nonsense"])
def test_accept_is_not_asked(api, accept) -> None:
    answer = api.post(SEND_BULK, {"recipients": ["254712345678"], "message": "x"}, accept=accept)

    assert answer.status_code == 201
    assert answer["Content-Type"] == "application/json"


def test_the_number_of_statements_does_not_depend_on_the_number_of_recipients() -> None:
    def statements(recipients: int) -> int:
        api = funded(10_000)
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert api.send(*kenyan_numbers(recipients)).status_code == 201
        return len(captured)

    assert statements(10) == statements(2_000)


def test_a_request_that_fails_later_leaves_nothing(api, organisation, monkeypatch) -> None:
    """A bug after the money was held is a 500 that rolls everything back."""
    before = world(organisation)
    monkeypatch.setattr("bulksms.services.outbox.db.insert", lambda *_: 1 / 0)
    api.client.raise_request_exception = False

    answer = api.send("254712345678")

    assert answer.status_code == 500
    assert world(organisation) == before
