"""A clean database in which every state and every charge occurs, for the tests of the audit."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from unittest import mock
from uuid import UUID

from django.conf import settings as django_settings
from django.db.models import F
from django.test import override_settings

from bulksms import clock, send_bulk, states
from bulksms.carriers.base import ParsedReport
from bulksms.models import Campaign, IdempotencyKey, Message, Organisation, Run, Wallet
from bulksms.services import attempts, dispatch, reports, resolving, settlement, wallet
from bulksms.services.settlement import Move
from bulksms.testing import drain, tick, virtual_clock
from tests.factories import kenyan_numbers, make_organisation
from tests.harness import FakeCarrier, fake_carrier

PRICE = 1_000_000
TEXT = "s3cret"
NUMBERS = kenyan_numbers(20)


SEEDS = count(1)


def carrier_with(rules: list[object]) -> AbstractContextManager[FakeCarrier]:
    """A fake carrier with rules. Each has its own seed, or their ids would be the same."""
    return fake_carrier(next(SEEDS), rules)


def send(count: int = 2, *, price: int = PRICE, organisation: Organisation | None = None) -> UUID:
    owner = organisation or make_organisation(100 * PRICE, price_micros=price)
    return send_bulk(recipients=NUMBERS[:count], message=TEXT, organisation=owner).id


def move(campaign: UUID, status: str, **how: Any) -> None:
    """End a campaign's queued rows as an operator would."""
    rows = Message.objects.filter(campaign=campaign, status=states.QUEUED)
    moves = [Move(id_, status, **how) for id_ in rows.values_list("id", flat=True)]
    settlement.apply(moves, [campaign], key=f"test:{campaign}", now=clock.now())


def every_end() -> UUID:
    """One campaign whose rows end in each way that a carrier knows."""
    ends = ("undelivered", "rejected", "expired")
    rules: list[object] = [
        {"match": {"number": number}, "report": end}
        for number, end in zip(NUMBERS, ends, strict=False)
    ]
    rules += [
        {"match": {"number": NUMBERS[3]}, "refuse": "blocked"},
        {"match": {"number": NUMBERS[4]}, "report": False},
    ]
    campaign = send(7)
    with carrier_with(rules) as house:
        house.run()
        house.run(hours=73)
        house.run(hours=73)
    return campaign


def lost(unknown_at_deadline: str) -> UUID:
    """A campaign of which no carrier ever spoke, ended by the deadline."""
    campaign = send(2)
    with carrier_with([{"lose_request": {"how": "reset"}}]):
        drain()
    virtual_clock.advance(hours=73)
    with override_settings(
        BULKSMS={**django_settings.BULKSMS, "UNKNOWN_AT_DEADLINE": unknown_at_deadline}
    ):
        tick()
    return campaign


def report(campaign: UUID, state: str) -> None:
    """A carrier's late word about the first row of a campaign."""
    row = Message.objects.filter(campaign=campaign).earliest("id")
    reports.store("main", [ParsedReport(f"late:{row.id}", "C-1", str(row.id), state, "", "{}")])
    assert reports.apply_once() == 1


def retry(campaign: UUID) -> None:
    """A second, newly funded attempt of a campaign's failed rows."""
    rows = Message.objects.filter(campaign=campaign, status=states.FAILED, hold__isnull=False)
    ids_, many = list(rows.values_list("id", flat=True)), rows.count()
    attempts.replace(ids_, clock.now(), take_over_hold=False)
    parent = Campaign.objects.get(id=campaign)
    hold = wallet.reserve(wallet.lock(parent.organisation), parent, many * PRICE, round_=1)
    Campaign.objects.filter(id=campaign).update(
        round=1, failed_count=F("failed_count") - many, queued_count=F("queued_count") + many,
        done_count=F("done_count") - many, finished_at=None, status=states.SENDING,
    )  # fmt: skip
    Run.objects.filter(campaign=campaign).update(queued_count=many, due_at=clock.now())
    rows.update(hold=hold, charge=states.HELD, status=states.QUEUED, done_at=None)


def retried() -> UUID:
    campaign = send(3)
    with carrier_with([{"match": {"number": NUMBERS[0]}, "refuse": "blocked"}]) as house:
        house.run()
    retry(campaign)
    deliver()
    return campaign


def resent() -> UUID:
    """Unknown messages that an operator had sent again; the first attempt then spoke up."""
    campaign = send(2)
    with carrier_with([{"lose_request": {"how": "reset"}}]):
        drain()
    rows = resolving.unknown_messages(campaign_id=campaign)
    assert resolving.decide(rows, resolving.RESEND, actor="op", why="urgent") == 2
    report(campaign, states.DELIVERED)
    deliver()
    return campaign


def expired() -> UUID:
    campaign = send(2)
    virtual_clock.advance(hours=49)
    tick()
    return campaign


def cancelled_while_the_wallet_was_locked() -> UUID:
    campaign = send(2)
    with mock.patch("bulksms.services.ledger.lock_free", return_value={}):
        move(campaign, states.CANCELLED)
    return campaign


def short_of_money() -> UUID:
    """Queued, refused by us, not affordable and skipped."""
    owner = make_organisation(2 * PRICE, price_micros=PRICE)
    recipients = [NUMBERS[0], "12", *NUMBERS[1:4]]
    campaign = send_bulk(recipients=recipients, message=TEXT, organisation=owner).id
    deliver()
    return campaign


def deliver() -> None:
    with carrier_with([]) as house:
        house.run()


def in_debt() -> Wallet:
    """A top-up that bounced after it was spent, and a new one that pays a part of it."""
    owner = make_organisation(3 * PRICE, price_micros=PRICE)
    wallet.top_up(owner, 3 * PRICE, key="bounced")
    send(5, organisation=owner)
    deliver()
    wallet.reverse_top_up(owner, "bounced", key="bank says no")
    wallet.top_up(owner, PRICE, key="next")
    wallet.adjust(owner, PRICE // 2, key="sorry", note="for the trouble")
    return wallet.of(owner)


@dataclass
class World:
    """The campaigns of the clean database, by what became of them."""

    ended: UUID = field(default_factory=every_end)
    captured_unheard: UUID = field(default_factory=lambda: lost("capture"))
    released_unheard: UUID = field(default_factory=lambda: lost("release"))
    retried: UUID = field(default_factory=retried)
    resent: UUID = field(default_factory=resent)
    expired: UUID = field(default_factory=expired)
    short: UUID = field(default_factory=short_of_money)
    debtor: Wallet = field(default_factory=in_debt)
    free: UUID = field(default_factory=lambda: send(2, price=0))

    def finish(self) -> World:
        """The half that is still under way, last: nothing may end it."""
        report(self.released_unheard, states.DELIVERED)
        report(self.captured_unheard, states.UNDELIVERED)
        self.creditor = make_organisation(0, price_micros=PRICE, credit_limit_micros=None)
        send(3, organisation=self.creditor)
        self.cancelled = send(2)
        move(self.cancelled, states.CANCELLED)
        deliver()
        self.free_queued = send(2, price=0)
        self._leave_open()
        self._add_test_twin()
        IdempotencyKey.objects.create(
            organisation=Campaign.objects.get(id=self.short).organisation, key="k",
            request_sha256="0" * 64, campaign_id=self.short, created_at=clock.now(),
        )  # fmt: skip
        self.now = clock.now()
        return self

    def _leave_open(self) -> None:
        Message.objects.filter(campaign=self.free_queued).update(carrier="main")
        with carrier_with([{"report": False}]) as house:
            self.sent = send(2)
            self._hide(self.free_queued, house)
            self.sending = send(2)
            assert dispatch.claim(house.carrier)
        with carrier_with([{"lose_request": {"how": "reset"}}]):
            self.unknown = send(3)
            drain()
        self.queued = send(3)
        self.stuck = cancelled_while_the_wallet_was_locked()

    def _hide(self, campaign: UUID, house: FakeCarrier) -> None:
        """Send all but this campaign."""
        Run.objects.filter(campaign=campaign).update(is_paused=True)
        drain()

    def _add_test_twin(self) -> None:
        self.test = make_organisation()
        Organisation.objects.filter(pk=self.test.pk).update(
            mode="test", live_twin=Campaign.objects.get(id=self.sent).organisation
        )
