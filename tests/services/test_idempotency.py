"""Keys of requests that make no campaign, and when keys are forgotten."""

from __future__ import annotations

import pytest

from bulksms.exceptions import IdempotencyMismatch, NotFound
from bulksms.models import IdempotencyKey
from bulksms.services import idempotency, reconcile
from bulksms.services.idempotency import Kept, Once
from bulksms.testing import virtual_clock
from tests.factories import make_organisation

pytestmark = pytest.mark.django_db

WAYS = [idempotency.run, idempotency.run_repeatable]


class Work:
    """Counts how often it is done."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> Kept:
        self.times += 1
        return Kept(201, f"answer {self.times}")


@pytest.mark.parametrize("run", WAYS)
def test_the_second_time_gets_the_first_answer(run) -> None:
    organisation, work = make_organisation(), Work()

    first = run(organisation, Once("k", "d"), work)
    again = run(organisation, Once("k", "d"), work)

    assert first == Kept(201, "answer 1")
    assert again == Kept(201, "answer 1", replayed=True)
    assert work.times == 1


@pytest.mark.parametrize("run", WAYS)
def test_another_request_and_another_organisation(run) -> None:
    organisation, work = make_organisation(), Work()
    run(organisation, Once("k", "d"), work)

    with pytest.raises(IdempotencyMismatch):
        run(organisation, Once("k", "other"), work)
    assert run(make_organisation(), Once("k", "other"), work).body == "answer 2"


@pytest.mark.parametrize("run", WAYS)
def test_what_failed_is_not_kept(run) -> None:
    organisation, work = make_organisation(), Work()

    def fail() -> Kept:
        raise NotFound

    with pytest.raises(NotFound):
        run(organisation, Once("k", "d"), fail)

    assert run(organisation, Once("k", "d"), work) == Kept(201, "answer 1")


def test_of_two_that_do_it_at_once_both_get_the_answer_that_is_stored_first() -> None:
    organisation, work = make_organisation(), Work()

    def slow() -> Kept:
        idempotency.run_repeatable(organisation, Once("k", "d"), work)
        return Kept(201, "too late")

    found = idempotency.run_repeatable(organisation, Once("k", "d"), slow)

    assert found == Kept(201, "answer 1", replayed=True)


def test_the_tick_forgets_them_after_a_day() -> None:
    organisation, work = make_organisation(), Work()
    idempotency.run(organisation, Once("k", "d"), work)
    virtual_clock.advance(hours=23, minutes=59)
    reconcile.tick_once()
    assert IdempotencyKey.objects.count() == 1
    virtual_clock.advance(minutes=1)

    assert reconcile.tick_once()["idempotency_keys"] == 1
    assert not IdempotencyKey.objects.exists()
