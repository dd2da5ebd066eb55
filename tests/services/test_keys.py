"""API keys: what is kept of them, replacing one while it is in use, and when it was last used."""

from __future__ import annotations

import datetime as dt
import hashlib

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bulksms.exceptions import AuthenticationFailed, NotFound
from bulksms.models import ApiKey, Organisation
from bulksms.services import keys, organisations
from bulksms.testing import virtual_clock
from tests.factories import make_organisation

pytestmark = pytest.mark.django_db


@pytest.fixture
def organisation() -> Organisation:
    return make_organisation()


def works(text: str) -> bool:
    try:
        keys.authenticate(text)
    except AuthenticationFailed:
        return False
    return True


def test_only_its_hash_is_kept(organisation: Organisation) -> None:
    row, text = keys.create(organisation)

    assert text.startswith(f"bsk_live_{row.prefix}_")
    assert len(text) == len("bsk_live_") + 10 + 1 + 43
    stored = [str(value) for value in ApiKey.objects.values_list().get()]
    assert hashlib.sha256(text.encode()).hexdigest() in stored
    assert not any(text.split("_", 3)[3] in value for value in stored)
    assert text.split("_", 3)[3] not in repr(row) + str(row)


def test_a_key_of_a_test_organisation_says_so(organisation: Organisation) -> None:
    twin = organisations.test_twin(organisation)

    assert keys.create(twin)[1].startswith("bsk_test_")
    assert organisations.test_twin(organisation) == twin


def test_after_rotation_both_work_and_then_only_the_new_one(organisation: Organisation) -> None:
    ends = virtual_clock.now() + dt.timedelta(days=90)
    old, old_text = keys.create(organisation, name="till", scopes=("send",), expires_at=ends)
    virtual_clock.advance(days=30)

    new, new_text = keys.rotate(old, overlap=dt.timedelta(hours=2))

    assert (new.name, new.scopes, new.replaces) == ("till", ["send"], old)
    assert new.expires_at == virtual_clock.now() + dt.timedelta(days=90)
    assert works(old_text)
    assert works(new_text)
    virtual_clock.advance(hours=2)
    assert not works(old_text)
    assert works(new_text)


def test_rotation_lengthens_no_life(organisation: Organisation) -> None:
    ends = virtual_clock.now() + dt.timedelta(hours=1)
    old, old_text = keys.create(organisation, expires_at=ends)

    keys.rotate(old, overlap=dt.timedelta(hours=2))

    virtual_clock.advance(hours=1)
    assert not works(old_text)


def test_a_dead_key_is_not_rotated(organisation: Organisation) -> None:
    old, _ = keys.create(organisation)
    keys.revoke(old)

    with pytest.raises(NotFound):
        keys.rotate(old)


def test_a_revoked_key_is_dead_at_once_and_keeps_its_date(organisation: Organisation) -> None:
    row, text = keys.create(organisation)
    keys.revoke(row)
    at = virtual_clock.now()
    virtual_clock.advance(hours=1)
    keys.revoke(row)

    assert not works(text)
    assert ApiKey.objects.get().revoked_at == at


def test_last_use_is_written_once_a_minute(organisation: Organisation) -> None:
    row, text = keys.create(organisation)
    first = virtual_clock.now()

    def use() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert works(text)
        row.refresh_from_db()
        return len(captured)

    assert use() == 2
    assert row.last_used_at == first
    virtual_clock.advance(seconds=59)
    assert use() == 1
    assert row.last_used_at == first
    virtual_clock.advance(seconds=1)
    assert use() == 2
    assert row.last_used_at == virtual_clock.now()


def test_a_refused_key_is_not_used(organisation: Organisation) -> None:
    row, text = keys.create(organisation)
    keys.revoke(row)

    assert not works(text)
    row.refresh_from_db()
    assert row.last_used_at is None
