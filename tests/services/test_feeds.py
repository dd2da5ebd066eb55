"""Following finished messages: in order, and nothing missed whoever commits when."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction

import bulksms
from bulksms import clock, db, messages_done_since, send_bulk, states
from bulksms.models import Message, Organisation
from bulksms.services import feeds, settlement
from bulksms.services.settlement import Move
from bulksms.testing import virtual_clock
from tests.factories import kenyan_numbers, make_organisation
from tests.harness import FakeCarrier

pytestmark = pytest.mark.django_db

#: Longer than a page lags behind, on any database.
LAG = {"minutes": 2}


@pytest.fixture
def organisation() -> Organisation:
    return make_organisation()


def send(organisation: Organisation, how_many: int) -> list[UUID]:
    """Accept that many messages; their ids in input order."""
    result = send_bulk(recipients=kenyan_numbers(how_many), message="Hi", organisation=organisation)
    return [draft.id for draft in result.drafts]


def finish(id_: UUID, at: dt.datetime, status: str = states.EXPIRED) -> None:
    """End one queued message as the services do."""
    campaign = Message.objects.get(id=id_).campaign_id
    with transaction.atomic():
        settlement.apply([Move(id_, status)], {campaign}, key=f"test:{id_}", now=at)


def pages(organisation: Organisation, limit: int) -> Iterator[feeds.DonePage]:
    """Page after page, until one is empty."""
    page = messages_done_since(organisation=organisation, limit=limit)
    while page.messages:
        yield page
        page = messages_done_since(organisation=organisation, cursor=page.cursor, limit=limit)


# Pages


def test_every_finished_message_comes_once_in_the_order_in_which_they_finished(
    organisation: Organisation,
) -> None:
    ids = send(organisation, 7)
    order = [ids[3], ids[0], ids[6], ids[1], ids[5]]
    for id_ in order:
        virtual_clock.advance(seconds=1)
        finish(id_, clock.now())
    virtual_clock.advance(**LAG)

    found = list(pages(organisation, limit=2))

    assert [message.id for page in found for message in page.messages] == order
    assert [len(page.messages) for page in found] == [2, 2, 1]


def test_messages_of_one_moment_are_paged_by_id(organisation: Organisation) -> None:
    ids = send(organisation, 5)
    for id_ in reversed(ids):
        finish(id_, clock.now())
    virtual_clock.advance(**LAG)

    found = [message.id for page in pages(organisation, limit=2) for message in page.messages]

    assert found == sorted(ids)


def test_a_message_says_how_it_ended(organisation: Organisation, carrier: FakeCarrier) -> None:
    send(organisation, 1)
    carrier.run()
    virtual_clock.advance(**LAG)

    (message,) = messages_done_since(organisation=organisation).messages

    row = Message.objects.get()
    assert (message.id, message.campaign_id) == (row.id, row.campaign_id)
    assert (message.status, message.error, message.attempt) == (states.DELIVERED, "", 1)
    assert (message.sent_at, message.done_at) == (row.sent_at, row.done_at)
    assert message.cost_micros == row.cost_micros == 1_000_000
    assert message.number == row.number
    assert row.number not in repr(message)


def test_recipients_refused_at_intake_are_finished_messages(organisation: Organisation) -> None:
    sent = send_bulk(recipients=["12", "0712345678"], message="Hi", organisation=organisation)
    virtual_clock.advance(**LAG)

    (message,) = messages_done_since(organisation=organisation).messages

    assert (message.id, message.status) == (sent.drafts[0].id, states.FAILED)
    assert message.error == sent.drafts[0].error != ""


def test_another_organisations_messages_are_not_shown(organisation: Organisation) -> None:
    finish(send(make_organisation(), 1)[0], clock.now())
    virtual_clock.advance(**LAG)

    assert messages_done_since(organisation=organisation).messages == ()


def test_a_message_that_is_retried_and_finishes_again_appears_again(
    organisation: Organisation,
) -> None:
    (id_,) = send(organisation, 1)
    finish(id_, clock.now())
    virtual_clock.advance(**LAG)
    first = messages_done_since(organisation=organisation)
    again = {"done_at": None, "status": states.QUEUED, "charge": states.HELD, "attempt": 2}
    Message.objects.filter(id=id_).update(**again)
    waiting = messages_done_since(organisation=organisation, cursor=first.cursor)
    Message.objects.filter(id=id_).update(done_at=clock.now(), status=states.EXPIRED)
    virtual_clock.advance(**LAG)

    second = messages_done_since(organisation=organisation, cursor=waiting.cursor)

    assert [(m.id, m.attempt) for m in first.messages] == [(id_, 1)]
    assert waiting.messages == ()
    assert [(m.id, m.attempt) for m in second.messages] == [(id_, 2)]


# Cursors


def test_an_empty_page_keeps_the_readers_place(organisation: Organisation) -> None:
    first, second = send(organisation, 2)
    finish(first, clock.now())
    virtual_clock.advance(**LAG)
    place = messages_done_since(organisation=organisation).cursor

    empty = messages_done_since(organisation=organisation, cursor=place)
    finish(second, clock.now())
    virtual_clock.advance(**LAG)
    after = messages_done_since(organisation=organisation, cursor=empty.cursor)

    assert (empty.messages, empty.cursor) == ((), place)
    assert [message.id for message in after.messages] == [second]


def test_before_anything_is_finished_the_cursor_is_the_beginning(
    organisation: Organisation,
) -> None:
    page = messages_done_since(organisation=organisation)
    finish(send(organisation, 1)[0], clock.now())
    virtual_clock.advance(**LAG)

    assert page == feeds.DonePage((), "")
    assert messages_done_since(organisation=organisation, cursor=page.cursor).messages


@pytest.mark.parametrize("text", ["x", "1.2", "1.2.3", f"1.-2.{'0' * 32}", f"1.2.{'0' * 33}"])
def test_what_is_no_cursor_is_refused(organisation: Organisation, text: str) -> None:
    with pytest.raises(ValueError, match="no cursor"):
        messages_done_since(organisation=organisation, cursor=text)


def test_another_organisations_cursor_is_refused_rather_than_passing_over_messages(
    organisation: Organisation,
) -> None:
    finish(send(organisation, 1)[0], clock.now())
    virtual_clock.advance(**LAG)
    cursor = messages_done_since(organisation=organisation).cursor

    with pytest.raises(ValueError, match="no cursor of this organisation"):
        messages_done_since(organisation=make_organisation(), cursor=cursor)


@pytest.mark.parametrize("limit", [0, -1, 10_001])
def test_a_page_has_a_size(organisation: Organisation, limit: int) -> None:
    with pytest.raises(ValueError, match="limit must be"):
        messages_done_since(organisation=organisation, limit=limit)


def test_hosts_import_it_where_they_import_send_bulk() -> None:
    assert bulksms.messages_done_since is feeds.messages_done_since


# What is not complete yet


def test_a_page_lags_behind_by_the_margin(organisation: Organisation) -> None:
    finish(send(organisation, 1)[0], clock.now())
    virtual_clock.advance(seconds=feeds.MARGIN.total_seconds())
    early = messages_done_since(organisation=organisation)
    virtual_clock.advance(**LAG)

    assert early.messages == ()
    assert len(messages_done_since(organisation=organisation).messages) == 1


def test_a_moment_that_still_lasts_is_not_shown(
    organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second transaction may write the same moment with a smaller id."""
    monkeypatch.setattr(feeds, "MARGIN", dt.timedelta())
    monkeypatch.setattr(feeds, "_longest_wait", dt.timedelta)
    finish(send(organisation, 1)[0], clock.now())
    at_once = messages_done_since(organisation=organisation)
    virtual_clock.advance(seconds=0.001)

    assert at_once.messages == ()
    assert len(messages_done_since(organisation=organisation).messages) == 1


@contextmanager
def in_another_transaction(work: Callable[[], Any]) -> Iterator[Event]:
    """``work`` is done on another connection, and committed when the event is set."""
    done, commit = Event(), Event()

    def run() -> None:
        try:
            with transaction.atomic():
                work()
                done.set()
                assert commit.wait(30)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run)
        assert done.wait(30)
        try:
            yield commit
        finally:
            commit.set()
            running.result(30)


@pytest.fixture
def _real_time(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.BULKSMS = {**settings.BULKSMS, "CLOCK": "bulksms.clock.system"}
    monkeypatch.setattr(feeds, "MARGIN", dt.timedelta())


@pytest.mark.postgres
@pytest.mark.usefixtures("_real_time")
@pytest.mark.django_db(transaction=True)
def test_an_older_message_that_commits_after_the_page_is_not_missed() -> None:
    organisation = make_organisation()
    (older,), (newer,) = send(organisation, 1), send(organisation, 1)

    with in_another_transaction(lambda: finish(older, clock.now())) as commit:
        finish(newer, clock.now())
        meanwhile = messages_done_since(organisation=organisation)
        commit.set()
    afterwards = messages_done_since(organisation=organisation, cursor=meanwhile.cursor)

    assert meanwhile == feeds.DonePage((), "")
    assert [message.id for message in afterwards.messages] == [older, newer]


@pytest.mark.postgres
@pytest.mark.usefixtures("_real_time")
@pytest.mark.django_db(transaction=True)
def test_what_finished_before_the_open_transaction_began_does_not_wait_for_it() -> None:
    organisation = make_organisation()
    (older,), (newer,) = send(organisation, 1), send(organisation, 1)
    finish(older, clock.now())

    with in_another_transaction(lambda: finish(newer, clock.now())):
        meanwhile = messages_done_since(organisation=organisation)

    assert [message.id for message in meanwhile.messages] == [older]


@pytest.mark.postgres
@pytest.mark.usefixtures("_real_time")
@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_only_reads_holds_nothing_back() -> None:
    organisation = make_organisation()
    (id_,) = send(organisation, 1)

    with in_another_transaction(lambda: list(Message.objects.all())):
        finish(id_, clock.now())
        page = messages_done_since(organisation=organisation)

    assert [message.id for message in page.messages] == [id_]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_with_a_clock_that_jumps_an_open_transaction_holds_everything_back() -> None:
    organisation = make_organisation()
    (older,), (newer,) = send(organisation, 1), send(organisation, 1)

    with in_another_transaction(lambda: finish(older, clock.now())):
        virtual_clock.advance(days=3)
        finish(newer, clock.now())
        virtual_clock.advance(days=3)
        meanwhile = messages_done_since(organisation=organisation)
    afterwards = messages_done_since(organisation=organisation)

    assert meanwhile.messages == ()
    assert [message.id for message in afterwards.messages] == [older, newer]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_snapshot_that_is_older_than_the_page_is_refused() -> None:
    organisation = make_organisation()

    with transaction.atomic():
        db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        with pytest.raises(RuntimeError, match="repeatable read"):
            messages_done_since(organisation=organisation)
