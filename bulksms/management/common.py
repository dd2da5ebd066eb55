"""What several commands share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import CommandError
from django.db import transaction

from bulksms import money
from bulksms.models import Organisation
from bulksms.services import wallet


def find_organisation(slug: str) -> Organisation:
    """The organisation with a wallet of that slug. Raises CommandError that names the others."""
    found = Organisation.objects.filter(slug=slug, wallet__isnull=False).first()
    if found is None:
        known = ", ".join(Organisation.objects.values_list("slug", flat=True)[:20])
        raise CommandError(f"no organisation {slug!r} with a wallet; there are: {known}")
    return found


@contextmanager
def rehearsal(*, dry_run: bool) -> Iterator[None]:
    """With ``dry_run`` all that is done in the block is done, seen, and taken back at its end."""
    with transaction.atomic():
        yield
        if dry_run:
            transaction.set_rollback(True)


def figures(organisation: Organisation) -> dict[str, Any]:
    """The wallet of ``organisation`` for machines; amounts are texts in its currency."""
    purse = wallet.of(organisation)
    limit = purse.credit_limit_micros
    return {
        "organisation": organisation.slug,
        "currency": purse.currency,
        "balance": money.amount(purse.available_micros),
        "owed": money.amount(purse.owed_micros),
        "credit_limit": None if limit is None else money.amount(limit),
    }


def balance(organisation: Organisation) -> str:
    """The balance of ``organisation`` in a sentence, and what it owes."""
    purse = wallet.of(organisation)
    there = money.sentence(purse.available_micros, purse.currency)
    text = f"the balance of {organisation.slug} is {there}"
    if purse.owed_micros:
        owed = money.sentence(purse.owed_micros, purse.currency)
        text += f"; {owed} is owed, nothing is sent until it is paid"
    return text
