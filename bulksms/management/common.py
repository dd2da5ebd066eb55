"""What several commands share."""

from __future__ import annotations

from django.core.management.base import CommandError

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


def balance(organisation: Organisation) -> str:
    """The balance of ``organisation`` in a sentence, and what it owes."""
    purse = wallet.of(organisation)
    there = money.sentence(purse.available_micros, purse.currency)
    text = f"the balance of {organisation.slug} is {there}"
    if purse.owed_micros:
        owed = money.sentence(purse.owed_micros, purse.currency)
        text += f"; {owed} is owed, nothing is sent until it is paid"
    return text
