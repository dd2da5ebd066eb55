"""Money into and out of a wallet from outside, and its limits. For operators, never for clients.

Each movement has its caller's key: the same key with the same content again is a no-op, with other
content it is LedgerConflict. Each function is one transaction.
"""

from __future__ import annotations

import logging
import re

from django.db import IntegrityError, transaction

from bulksms import clock, money
from bulksms.exceptions import LedgerConflict, NotFound, WalletRefusal
from bulksms.models import LedgerEntry, Organisation, Wallet
from bulksms.models.wallet import ADJUSTMENT, AVAILABLE, FUNDING, OWED
from bulksms.services import ledger
from bulksms.services.ledger import Step

logger = logging.getLogger(__name__)

_PROVIDER = re.compile(r"[a-z0-9_.-]{1,30}")


def open_wallet(
    organisation: Organisation, currency: str, *, credit_limit_micros: int | None = 0
) -> Wallet:
    """Give ``organisation`` its wallet, once; an existing one keeps its currency and limit."""
    wallet, _ = Wallet.objects.get_or_create(
        organisation=organisation,
        defaults={"currency": currency, "credit_limit_micros": credit_limit_micros},
    )
    return wallet


# Movements


def payment_key(provider: str, reference: str) -> str:
    """The key of a payment: the provider's short name and its own reference. Raises ValueError."""
    if not _PROVIDER.fullmatch(provider):
        raise ValueError("A provider is 1 to 30 of a-z, 0-9, '_', '.', '-'.")
    return ledger.check_key(f"{provider}:{reference.strip()}" if reference.strip() else "")


def top_up(
    organisation: Organisation, amount_micros: int, *, key: str, note: str = ""
) -> LedgerEntry:
    """Credit the wallet once per ``key``; see :func:`payment_key`. Returns the ledger entry.

    Raises LedgerConflict when the key was used for another amount or for another wallet (one
    payment credits one wallet), TypeError and ValueError for an amount that is none.
    """
    name = f"top-up:{ledger.check_key(key)}"
    step = Step(FUNDING, AVAILABLE, ledger.check_amount(amount_micros), name, note=note)
    payments = LedgerEntry.objects.filter(source=FUNDING, target=AVAILABLE, key=step.key)
    try:
        with transaction.atomic():
            wallet = ledger.lock(organisation)
            if payments.exclude(wallet=wallet).exists():
                raise LedgerConflict(f"The payment {key!r} was credited to another wallet.")
            return _post_once(wallet, [step])
    except IntegrityError as error:  # another wallet's top-up with this key won the race
        raise LedgerConflict(f"The payment {key!r} was credited to another wallet.") from error


def adjust(
    organisation: Organisation, amount_micros: int, *, key: str, note: str
) -> LedgerEntry:  # fmt: skip
    """Correct the balance by ``amount_micros``, up or down (its sign). Returns the ledger entry.

    Raises WalletRefusal (``below_limit``) for more than may be spent, LedgerConflict for a key that
    was used for another adjustment, TypeError and ValueError for an amount that is none.
    """
    up = type(amount_micros) is not int or amount_micros > 0
    source, target = (ADJUSTMENT, AVAILABLE) if up else (AVAILABLE, ADJUSTMENT)
    amount = ledger.check_amount(amount_micros if up else -amount_micros)
    step = Step(source, target, amount, f"adjustment:{ledger.check_key(key)}", note=note)
    with transaction.atomic():
        wallet = ledger.lock(organisation)
        if not up and not ledger.known(wallet, step):
            _check_spendable(wallet, amount)
        return _post_once(wallet, [step])


def reverse_top_up(
    organisation: Organisation, top_up_key: str, *, key: str, note: str = ""
) -> LedgerEntry:
    """Take a whole top-up back: the payment bounced. Returns the reversal's ledger entry.

    What is no longer there (down to the credit limit) is recorded as owed; then nothing is held
    until whatever comes in has paid it. Raises NotFound for an unknown top-up, LedgerConflict when
    it was reversed before under another key.
    """
    name = f"reversal:{ledger.check_key(key)}"
    with transaction.atomic():
        wallet = ledger.lock(organisation)
        paid = _top_up_of(wallet, top_up_key)
        amount = paid.amount_micros
        step = Step(AVAILABLE, FUNDING, amount, name, note=note, reverses_id=paid.pk)
        if known := ledger.known(wallet, step):
            return known
        if LedgerEntry.objects.filter(reverses=paid).exists():
            raise LedgerConflict(f"The top-up {top_up_key!r} was reversed before.")
        return _post_once(wallet, [*_debt(wallet, step), step])


def _top_up_of(wallet: Wallet, key: str) -> LedgerEntry:
    found = LedgerEntry.objects.filter(wallet=wallet, key=f"top-up:{key}").first()
    if found is None:
        raise NotFound(f"This wallet has no top-up {key!r}.")
    return found


def _debt(wallet: Wallet, reversal: Step) -> list[Step]:
    """What the wallet must be lent, so that all of the reversal can be taken."""
    there = ledger.above_limit(wallet)
    missing = 0 if there is None else reversal.amount_micros - max(there, 0)
    return [Step(OWED, AVAILABLE, missing, f"debt:{reversal.key}")] if missing > 0 else []


def _post_once(wallet: Wallet, steps: list[Step]) -> LedgerEntry:
    """Write the steps, unless the last one is known. Returns its entry. Raises LedgerConflict."""
    known = ledger.known(wallet, steps[-1])
    if known is None:
        ledger.post([(wallet, steps)], clock.now())
    return known or LedgerEntry.objects.get(wallet=wallet, key=steps[-1].key)


def _check_spendable(wallet: Wallet, amount: int) -> None:
    there = ledger.spendable(wallet)
    if there is not None and amount > there:
        wanted, most = (money.sentence(micros, wallet.currency) for micros in (amount, there))
        raise WalletRefusal(
            f"{wanted} cannot be taken: at most {most} is left, credit included.",
            code="below_limit",
        )


# Limits


def set_credit_limit(organisation: Organisation, limit_micros: int | None) -> Wallet:
    """How far the balance may fall below zero; None = without limit. Returns the wallet.

    Raises WalletRefusal (``credit_in_use``) below what is used already, ValueError below zero.
    """
    limit = _limit(limit_micros)
    with transaction.atomic():
        wallet = ledger.lock(organisation)
        if limit is not None and wallet.available_micros < -limit:
            used = money.sentence(-wallet.available_micros, wallet.currency)
            raise WalletRefusal(f"{used} of the credit is in use.", code="credit_in_use")
        return _set(wallet, "credit_limit_micros", limit)


def set_spend_cap(organisation: Organisation, cap_micros: int | None) -> Wallet:
    """The most that may be held on one day; None = no cap. It counts today's holds at once.

    Raises ValueError below zero.
    """
    cap = _limit(cap_micros)
    with transaction.atomic():
        return _set(ledger.lock(organisation), "daily_spend_cap_micros", cap)


def set_low_balance(organisation: Organisation, threshold_micros: int | None) -> Wallet:
    """Below which balance ``signals.low_balance`` is sent; None = never."""
    with transaction.atomic():
        return _set(ledger.lock(organisation), "low_balance_micros", threshold_micros)


def _limit(micros: int | None) -> int | None:
    if micros is not None and (type(micros) is not int or not 0 <= micros <= 2**62):
        raise ValueError("A limit is an int of micros, not below zero, or None.")
    return micros


def _set(wallet: Wallet, column: str, micros: int | None) -> Wallet:
    before = getattr(wallet, column)
    setattr(wallet, column, micros)
    wallet.save(update_fields=(column,))
    logger.info("bulksms: %s of wallet %s: %s -> %s", column, wallet.pk, before, micros)
    return wallet
