"""The commands that an operator reaches for on a bad day."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from bulksms import send_bulk, states
from bulksms.models import Campaign, Decision, Lease, Message, Suppression
from bulksms.services import reconcile, stops
from bulksms.testing import drain, virtual_clock
from tests.factories import kenyan_numbers, make_organisation
from tests.harness import fake_carrier

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _virtual_time(settings: Any) -> None:
    virtual_clock.reset()
    settings.BULKSMS = {**settings.BULKSMS, "CLOCK": "bulksms.testing.virtual_clock"}


def run(name: str, *words: str, **options: Any) -> tuple[int, str]:
    """Exit code and output."""
    out = StringIO()
    try:
        call_command(name, *words, stdout=out, **options)
    except SystemExit as end:
        return int(str(end.code)), out.getvalue()
    return 0, out.getvalue()


@pytest.fixture
def unknown() -> Iterator[Campaign]:
    """A campaign whose three messages are unknown."""
    with fake_carrier(rules=[{"lose_request": {"how": "reset"}}]):
        organisation = make_organisation()
        result = send_bulk(recipients=kenyan_numbers(3), message="Hi", organisation=organisation)
        drain()
        yield result.campaign


def test_status_says_what_is_stuck_and_what_to_do(unknown: Campaign) -> None:
    stops.stop("main", actor="amina", why="their invoice is disputed")

    code, text = run("bulksms_status")

    assert code == 1
    assert "no tick ever" in text
    assert "carrier main is stopped: their invoice is disputed" in text
    assert "3 unknown in 1 campaign(s)" in text
    assert "bulksms_resolve" in text


def test_status_is_quiet_and_exits_0_when_all_is_well() -> None:
    assert reconcile.take_lease("worker-1")

    code, text = run("bulksms_status", json=True)

    assert code == 0
    assert [finding["level"] for finding in json.loads(text)] == ["ok"]


def test_status_notices_a_tick_that_has_stopped() -> None:
    reconcile.take_lease("worker-1")
    virtual_clock.advance(seconds=31)

    code, text = run("bulksms_status")

    assert (code, Lease.objects.count()) == (1, 1)
    assert "no tick since" in text


def test_resolve_by_campaign_is_logged(unknown: Campaign) -> None:
    words = ("not-accepted", "--campaign", str(unknown.pk), "--why", "they never got it")

    _, dry = run("bulksms_resolve", *words, "--dry-run", "--actor", "amina")
    assert dry == "3 unknown message(s) would be not-accepted\n"
    assert not Decision.objects.exists()
    run("bulksms_resolve", *words, "--actor", "amina")

    assert set(Message.objects.values_list("status", flat=True)) == {states.FAILED}
    assert Decision.objects.get().actor == "amina"


def test_resolve_wants_to_know_which() -> None:
    with pytest.raises(CommandError, match="say which"):
        run("bulksms_resolve", "delivered", "--why", "x")


def test_stop_and_resume_by_command() -> None:
    run("bulksms_stop", "--everything", "--why", "wrong text")
    assert stops.is_stopped("main")
    run("bulksms_stop", "--everything", "--resume")
    assert not stops.is_stopped("main")


def test_stop_one_organisation_and_name_the_others_for_a_wrong_one() -> None:
    organisation = make_organisation()

    run("bulksms_stop", "--organisation", organisation.slug, "--why", "abuse")
    organisation.refresh_from_db()
    assert not organisation.is_active
    with pytest.raises(CommandError, match=organisation.slug):
        run("bulksms_key", "nobody")

    _, key = run("bulksms_key", organisation.slug)
    assert key.startswith("bsk_live_")


def test_suppress_takes_numbers_as_people_write_them_and_all_or_none() -> None:
    _, text = run("bulksms_suppress", "0712 345 678", "+254712345678", "--reason", "asked us")
    assert text == "1 number(s) added, 0 were on the list\n"

    with pytest.raises(CommandError, match="line 2"):
        run("bulksms_suppress", "0723456789", "nonsense")

    assert list(Suppression.objects.values_list("number", flat=True)) == ["254712345678"]
    _, text = run("bulksms_suppress", "0712345678", "--remove")
    assert text == "1 number(s) taken off the list\n"
