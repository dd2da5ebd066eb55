"""Retention: what is over is forgotten, what it cost is not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import override_settings

from bulksms import clock, send_bulk, send_sms, states
from bulksms.carriers.base import ParsedReport
from bulksms.models import (
    Campaign,
    Decision,
    Hold,
    IdempotencyKey,
    LedgerEntry,
    Message,
    MessageAttempt,
    Refund,
    Report,
    Run,
    Submission,
)
from bulksms.services import audit, blanking, control, pruning, reports, retrying
from bulksms.testing import drain, virtual_clock
from tests.factories import kenyan_numbers, make_organisation
from tests.harness import FakeCarrier
from tests.services.audit_world import World

pytestmark = pytest.mark.django_db

NUMBER = "254712345678"
DAYS = 30


def faults() -> list[str]:
    return [str(fault) for fault in audit.faults()]


def one_month_later() -> None:
    virtual_clock.advance(days=DAYS + 1)


def delivered(carrier: FakeCarrier, **options: Any) -> Campaign:
    """A finished campaign of three messages."""
    organisation = options.pop("organisation", None) or make_organisation()
    campaign = send_bulk(
        recipients=kenyan_numbers(3), message="Your bill", organisation=organisation, **options
    ).campaign
    carrier.run()
    campaign.refresh_from_db()
    assert campaign.status == states.COMPLETED
    return campaign


# Blanking


def test_after_the_days_texts_are_gone_and_numbers_are_keyed_hashes(carrier: FakeCarrier) -> None:
    organisation = make_organisation()
    common = delivered(carrier, organisation=organisation)
    own = send_bulk(
        messages=[{"to": NUMBER, "message": "Hi {n}", "variables": {"n": "Ann"}}, {"to": "071"}],
        message="Hi", organisation=organisation,
    ).campaign  # fmt: skip
    carrier.run()
    one_month_later()

    done = pruning.prune(days=DAYS)

    assert done["blanked"] == 5
    common.refresh_from_db()
    assert (common.message, common.blanked_at) == ("", clock.now())
    assert not Message.objects.exclude(number="").exists()
    assert not Message.objects.exclude(text=None).exclude(text="").exists()
    assert set(Message.objects.filter(campaign=common).values_list("text", flat=True)) == {None}
    found = Message.objects.get(campaign=own, status=states.DELIVERED)
    assert found.input == blanking.fingerprint(NUMBER)
    assert not any(char in found.input for char in ("2547", "12345678"))
    assert faults() == []


def test_what_is_younger_or_not_finished_stays(carrier: FakeCarrier) -> None:
    organisation = make_organisation()
    waiting = send_sms(NUMBER, "Later", organisation=organisation)
    control.pause(organisation, waiting.campaign_id)
    virtual_clock.advance(days=DAYS)
    young = delivered(carrier, organisation=organisation)

    assert pruning.prune(days=DAYS, rows=True)["blanked"] == 0

    assert Message.objects.get(pk=waiting.pk).number == NUMBER
    assert Message.objects.filter(campaign=young).exclude(number="").count() == 3


def test_blanking_again_changes_nothing(carrier: FakeCarrier) -> None:
    delivered(carrier)
    one_month_later()
    pruning.prune(days=DAYS)
    before = list(Message.objects.values_list("id", "input").order_by("id"))

    assert pruning.prune(days=DAYS)["blanked"] == 0

    assert list(Message.objects.values_list("id", "input").order_by("id")) == before


def test_large_campaigns_are_blanked_page_by_page(
    carrier: FakeCarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivered(carrier)
    one_month_later()
    monkeypatch.setattr(pruning, "BATCH", 2)
    seen: list[int] = []

    assert pruning.prune(days=DAYS, progress=seen.append)["blanked"] == 3

    assert seen == [3]
    assert not Message.objects.exclude(number="").exists()


def test_a_number_is_found_again_by_who_knows_it_also_after_the_key_was_changed(
    carrier: FakeCarrier, settings: Any
) -> None:
    campaign = delivered(carrier)
    number = Message.objects.filter(campaign=campaign).earliest("id").number
    one_month_later()
    pruning.prune(days=DAYS)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another"

    assert blanking.messages_of(number).count() == 1

    settings.SECRET_KEY_FALLBACKS = []
    assert blanking.messages_of(number).count() == 0


def test_a_blanked_message_is_never_retried(carrier: FakeCarrier) -> None:
    organisation = make_organisation(balance_micros=2_000_000)
    campaign = delivered(carrier, organisation=organisation)
    assert campaign.failed_count == 1
    one_month_later()
    pruning.prune(days=DAYS)

    result = retrying.retry(organisation, campaign.pk, retrying.Wanted())

    assert (result.queued, [row.error for row in result.rows]) == (0, ["invalid_recipient"])


def test_fewer_days_than_a_message_may_live_are_refused() -> None:
    assert pruning.least_days() == 6
    with pytest.raises(ValueError, match="At least 6 days"):
        pruning.prune(days=5)


# Deleting rows


def test_rows_go_with_their_campaign_and_their_totals_are_on_the_hold(
    carrier: FakeCarrier,
) -> None:
    campaign = delivered(carrier)
    entries = LedgerEntry.objects.count()
    one_month_later()

    done = pruning.prune(days=DAYS, rows=True)

    assert (done["deleted"], done["unsound"]) == (3, 0)
    assert not Message.objects.exists()
    assert not Run.objects.exists()
    campaign.refresh_from_db()
    assert (campaign.delivered_count, campaign.pruned_at) == (3, clock.now())
    hold = Hold.objects.get()
    assert (hold.rows_price_micros, hold.rows_captured_micros) == (3_000_000, 3_000_000)
    assert (hold.rows_released_micros, hold.rows_refunded_micros) == (0, 0)
    assert LedgerEntry.objects.count() == entries
    assert faults() == []


def test_of_many_campaigns_each_batch_takes_some(
    carrier: FakeCarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    organisation = make_organisation()
    for _ in range(5):
        delivered(carrier, organisation=organisation)
    one_month_later()
    monkeypatch.setattr(pruning, "BATCH", 7)
    seen: list[int] = []

    done = pruning.prune(days=DAYS, rows=True, progress=seen.append)

    assert done["deleted"] == 15
    assert seen == [6, 6, 3]
    assert faults() == []


def test_rows_that_do_not_add_up_are_kept(carrier: FakeCarrier) -> None:
    campaign = delivered(carrier)
    Message.objects.filter(campaign=campaign, number=kenyan_numbers(1)[0]).delete()
    one_month_later()
    before = faults()

    done = pruning.prune(days=DAYS, rows=True)

    assert (done["deleted"], done["unsound"]) == (0, 1)
    assert before != []
    assert faults() == before


def test_rows_stay_while_a_refund_is_to_come(carrier: FakeCarrier) -> None:
    campaign = delivered(carrier)
    row = Message.objects.filter(campaign=campaign).earliest("id")
    one_month_later()
    refund = Refund.objects.create(
        message=row, attempt=1, hold_id=row.hold_id, amount_micros=1, due_at=clock.now()
    )

    assert pruning.prune(days=DAYS, rows=True)["deleted"] == 0
    refund.delete()
    assert pruning.prune(days=DAYS, rows=True)["deleted"] == 3


def test_the_audit_notices_changed_totals_and_rows_that_came_back(carrier: FakeCarrier) -> None:
    campaign = delivered(carrier)
    row = Message.objects.filter(campaign=campaign).earliest("id")
    one_month_later()
    pruning.prune(days=DAYS, rows=True)

    Hold.objects.update(rows_captured_micros=2_000_000)
    found = {fault.check for fault in audit.faults()}
    assert found == {"hold settled = its rows", "campaign cost = its rows"}

    Hold.objects.update(rows_captured_micros=3_000_000)
    Message.objects.bulk_create([row])
    assert "campaign counters = its rows" in {fault.check for fault in audit.faults()}


@pytest.fixture
def everything(django_db_setup: None, db: None) -> Iterator[World]:
    """A database in which every state and every charge occurs."""
    main = django_settings.BULKSMS["CARRIERS"]["main"]
    carriers = {"main": {**main, "REFUNDS": {"rejected": "refund"}}}
    with override_settings(BULKSMS={**django_settings.BULKSMS, "CARRIERS": carriers}):
        yield World().finish()


def test_the_audit_is_silent_before_and_after_whatever_happened_to_the_messages(
    everything: World,
) -> None:
    assert faults() == []
    finished = Campaign.objects.filter(finished_at__isnull=False).count()
    old = dt.timedelta(days=pruning.least_days())
    Campaign.objects.filter(finished_at__isnull=False).update(finished_at=clock.now() - old)
    assert faults() == []

    blanked = pruning.prune(days=pruning.least_days())
    assert faults() == []
    done = pruning.prune(days=pruning.least_days(), rows=True)

    assert faults() == []
    assert (blanked["blanked"] > 30, done["deleted"] > 30, done["unsound"]) == (True, True, 0)
    assert Campaign.objects.exclude(pruned_at=None).count() > finished / 2
    assert not MessageAttempt.objects.filter(message__campaign__pruned_at__isnull=False).exists()
    assert not Message.objects.filter(campaign__pruned_at__isnull=False).exists()


# Everything else that is old


def test_old_reports_requests_and_keys_go_and_younger_ones_stay(carrier: FakeCarrier) -> None:
    organisation = make_organisation()
    delivered(carrier, organisation=organisation, idempotency_key="first")
    reports.store("main", [ParsedReport("odd", "C-1", "nobody", "delivered", "", "{}")])
    reports.apply_once()
    one_month_later()
    assert set(Report.objects.values_list("status", flat=True)) == {states.APPLIED, states.PARKED}

    done = pruning.prune(days=DAYS)

    assert (done["reports"], done["submissions"], done["keys"]) == (3, 1, 1)
    assert Report.objects.get().status == states.PARKED
    delivered(carrier, organisation=organisation, idempotency_key="second")
    assert pruning.prune(days=DAYS)["submissions"] == 0
    assert Submission.objects.count() == 1
    assert IdempotencyKey.objects.get().key == "second"


def test_a_dry_run_counts_and_changes_nothing(carrier: FakeCarrier) -> None:
    delivered(carrier)
    one_month_later()

    counted = pruning.prune(days=DAYS, rows=True, dry_run=True)

    assert (counted["deleted"], counted["reports"], counted["submissions"]) == (3, 3, 1)
    assert Message.objects.exclude(number="").count() == 3
    assert Report.objects.count() == 3


# One person


def test_one_number_is_erased_on_request_and_nobody_elses(carrier: FakeCarrier) -> None:
    organisation = make_organisation()
    code = send_sms(NUMBER, "Your code is 1234", organisation=organisation)
    send_bulk(recipients=[NUMBER, "254723456789"], message="News", organisation=organisation)
    carrier.run()

    done = blanking.erase(NUMBER, actor="amina", why="her letter of 3 March")

    assert (done.messages, done.open, done.reports) == (2, 0, 2)
    assert not Message.objects.filter(number=NUMBER).exists()
    assert Message.objects.filter(number="254723456789").count() == 1
    assert Campaign.objects.get(pk=code.campaign_id).message == ""
    assert Campaign.objects.exclude(pk=code.campaign_id).get().message == "News"
    assert not Report.objects.filter(raw__contains=NUMBER).exists()
    decision = Decision.objects.get()
    assert (decision.actor, decision.rows_count) == ("amina", 2)
    assert NUMBER not in str(decision.scope)
    assert faults() == []


def test_what_still_waits_is_not_erased_and_said() -> None:
    organisation = make_organisation()
    row = send_sms(NUMBER, "Hi", organisation=organisation)

    done = blanking.erase(NUMBER, actor="amina", why="asked")

    assert (done.messages, done.open) == (0, 1)
    assert Message.objects.get(pk=row.pk).number == NUMBER
    control.cancel(organisation, row.campaign_id)
    drain()
    assert blanking.erase(NUMBER, actor="amina", why="asked").messages == 1
