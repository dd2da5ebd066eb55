"""What most tests start from: an organisation that can send, and its key."""

from __future__ import annotations

import datetime as dt
from itertools import count

from bulksms import clock
from bulksms.models import Organisation
from bulksms.services import keys, organisations, wallet

_numbers = count(1)


def make_organisation(
    balance_micros: int = 10_000_000_000,
    price_micros: int | None = 1_000_000,
    sender: str = "TALKNTALK",
    *,
    currency: str = "KES",
    credit_limit_micros: int | None = 0,
) -> Organisation:
    """An organisation with a wallet, a default sender and its own rate for every number."""
    number = next(_numbers)
    organisation = Organisation.objects.create(
        name=f"Organisation {number}", slug=f"organisation-{number}-{clock.now_ms()}"
    )
    wallet.open_wallet(organisation, currency, credit_limit_micros=credit_limit_micros)
    if balance_micros:
        wallet.top_up(organisation, balance_micros, key=f"test:{number}")
    if sender:
        organisations.register_sender(organisation, sender, is_default=True)
    if price_micros is not None:
        organisations.set_rate(
            price_micros,
            currency=currency,
            organisation=organisation,
            at=clock.now() - dt.timedelta(days=1),
        )
    return organisation


def make_key(
    organisation: Organisation, scopes: tuple[str, ...] = ("send", "read", "manage")
) -> str:
    """The text of a new API key."""
    return keys.create(organisation, scopes=scopes)[1]


def kenyan_numbers(how_many: int, first: int = 712_000_000) -> list[str]:
    """Valid Kenyan mobile numbers, as E.164 digits, all different."""
    return [f"254{first + index}" for index in range(how_many)]
