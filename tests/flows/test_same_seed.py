"""The whole app, with its random ids, run twice against the same carrier: the same table."""

from __future__ import annotations

import pytest

from bulksms import ids, send_bulk
from bulksms.models import Campaign, Message, Organisation, Report
from bulksms.services import audit
from bulksms.testing import virtual_clock
from tests.factories import kenyan_numbers, make_organisation
from tests.harness import fake_carrier

pytestmark = pytest.mark.django_db

RULES = [
    {"match": {"share": 10}, "report": "undelivered"},
    {"match": {"share": 5}, "refuse": "blocked"},
    {"match": {"share": 20}, "refuse": {"code": "temporary_failure", "tries": 2}},
    {"match": {"share": 5}, "report": False},
]


def table(organisation: Organisation, batch: int) -> list[tuple[str, str, str]]:
    """Number, end and error of 300 messages that went through the carrier of seed 7."""
    with fake_carrier(seed=7, rules=RULES, max_batch=batch) as house:
        send_bulk(recipients=kenyan_numbers(300), message="Hi there", organisation=organisation)
        for _ in range(40):
            house.run(minutes=1)
        house.run(hours=73)
        assert house.duplicates == (0, 0)
    campaign = Campaign.objects.latest("id")
    rows = Message.objects.filter(campaign=campaign).order_by("id")
    return list(rows.values_list("number", "status", "error"))


def test_other_ids_and_other_requests_the_same_table() -> None:
    organisation = make_organisation()
    try:
        ids.seed(1)
        first = table(organisation, batch=50)
        Report.objects.all().delete()  # of one seed, so are the second run's report ids
        virtual_clock.advance(hours=1)
        ids.seed(2)
        second = table(organisation, batch=17)
    finally:
        ids.seed(None)

    assert first == second
    ends = {status for _, status, _ in first}
    assert ends == {"delivered", "undelivered", "failed", "unconfirmed"}
    assert list(audit.faults()) == []
