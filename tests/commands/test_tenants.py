"""The commands that set a tenant up: organisation, sender IDs, keys."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from bulksms.models import ApiKey, Organisation, SenderId, Wallet
from bulksms.services import keys, organisations
from tests.api.helpers import Api
from tests.factories import make_organisation

pytestmark = pytest.mark.django_db


def run(name: str, *words: str) -> str:
    out = StringIO()
    call_command(name, *words, stdout=out)
    return out.getvalue().strip()


def test_from_nothing_to_a_first_sms() -> None:
    assert run("bulksms_organisation", "my-shop", "--name", "My shop", "--allow", "KE") == (
        "organisation my-shop: wallet in KES"
    )
    assert run("bulksms_sender", "my-shop", "MyShop", "--default") == (
        "MyShop: transactional, all networks, approved, default"
    )
    run("bulksms_topup", "my-shop", "5", "--reference", "r1")
    organisations.set_rate(1_000_000, currency="KES", at=Wallet.objects.get(
        organisation__slug="my-shop").organisation.created_at)  # fmt: skip
    api = Api(run("bulksms_key", "my-shop"))

    answer = api.send("0712345678")

    assert (answer.status_code, answer.json()["sender_id"]) == (201, "MyShop")


def test_the_list_of_organisations() -> None:
    run("bulksms_organisation", "my-shop", "--allow", "UG", "--allow", "KE")

    assert "my-shop: my-shop, live, sends to KE UG" in run("bulksms_organisation").splitlines()


def test_a_test_twin_is_made_once_with_senders_and_rates() -> None:
    live = make_organisation()

    for _ in range(2):
        assert run("bulksms_organisation", live.slug, "--test") == (
            f"test organisation {live.slug}-test: wallet in KES"
        )
    twin = Organisation.objects.get(live_twin=live)
    assert twin.mode == "test"
    assert [each.name for each in organisations.senders(twin)] == ["TALKNTALK"]
    assert twin.rates.count() == 1
    assert SenderId.objects.filter(organisation=live).count() == 1


def test_every_fault_of_an_organisation_at_once() -> None:
    with pytest.raises(CommandError) as refusal:
        run("bulksms_organisation", "my shop", "--currency", "kes", "--region", "XX",
            "--time-zone", "Nairobi")  # fmt: skip

    assert len(str(refusal.value).splitlines()) == 4
    assert not Organisation.objects.filter(slug="my shop").exists()


def test_a_slug_is_used_once() -> None:
    live = make_organisation()

    with pytest.raises(CommandError, match="There is an organisation"):
        run("bulksms_organisation", live.slug)


def test_sender_ids() -> None:
    slug = make_organisation(sender="").slug
    assert run("bulksms_sender", slug) == f"{slug} has no sender ID"
    run("bulksms_sender", slug, "FIRST", "--default")
    run("bulksms_sender", slug, "SECOND", "--kind", "promotional", "--network", "safaricom",
        "--status", "pending", "--default")  # fmt: skip

    assert run("bulksms_sender", slug, "FIRST", "--status", "revoked").splitlines() == [
        "FIRST: transactional, all networks, revoked",
        "SECOND: promotional, safaricom, pending, default",
    ]


@pytest.mark.parametrize("name", ["ELEVEN CHARS", "12", " X", "🙂"])
def test_what_is_no_sender_id(name: str) -> None:
    with pytest.raises(CommandError, match="sender id"):
        run("bulksms_sender", make_organisation().slug, name)


def test_looking_after_keys() -> None:
    organisation = make_organisation()
    slug = organisation.slug
    row, text = keys.create(organisation, name="till", scopes=("send",))

    assert run("bulksms_key", slug, "--list") == f"{row.prefix}: send, valid, last used never, till"
    new = run("bulksms_key", slug, "--rotate", row.prefix, "--overlap-hours", "0")
    assert Api(text).send("254712345678").status_code == 401
    assert Api(new).send("254712345678").status_code == 201
    prefix = ApiKey.objects.get(replaces=row).prefix
    assert run("bulksms_key", slug, "--revoke", prefix) == f"key {prefix} is revoked"
    assert Api(new).send("254712345678").status_code == 401
    lines = run("bulksms_key", slug, "--list").splitlines()
    assert "expired" in lines[0]
    assert "revoked" in lines[1]


def test_a_key_that_expires() -> None:
    organisation = make_organisation()
    run("bulksms_key", organisation.slug, "--days", "30", "--scope", "read")

    row = ApiKey.objects.get(organisation=organisation)
    assert row.expires_at is not None
    assert (row.expires_at - row.created_at).days in (29, 30)
    assert row.scopes == ["read"]


@pytest.mark.parametrize("words", [("--rotate", "nothing"), ("--revoke", "x"), ("--days", "0")])
def test_what_there_is_not(words: tuple[str, str]) -> None:
    with pytest.raises(CommandError):
        run("bulksms_key", make_organisation().slug, *words)


def test_anothers_key_is_not_there() -> None:
    row, text = keys.create(make_organisation())

    with pytest.raises(CommandError, match="has no key"):
        run("bulksms_key", make_organisation().slug, "--revoke", row.prefix)
    assert Api(text).get("/v1/balance/").status_code == 200
