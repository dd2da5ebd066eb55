"""The funds rule: from the first recipient on that money cannot pay, nobody is sent anything.

Those get rows all the same, which cost nobody anything. So that an empty wallet cannot fill the
table, there is a number of them that an organisation may have on one day.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from django.db.models import F

from bulksms import conf, money, states
from bulksms.exceptions import PaymentRequired
from bulksms.models import Wallet
from bulksms.services import wallet
from bulksms.services.outbox import Draft
from bulksms.services.validation import REJECT, BulkRequest, Terms

#: What the first row over a limit is told, and those after it.
STOPPED = {
    wallet.INSUFFICIENT_BALANCE: (
        "Insufficient balance. Required {required}, available {left}.",
        "Processing stopped due to insufficient balance.",
    ),
    wallet.SPEND_CAP_REACHED: (
        "Daily spend cap reached. Required {required}, left today {left}.",
        "Processing stopped because the daily spend cap was reached.",
    ),
}


def fund(
    purse: Wallet, drafts: Sequence[Draft], request: BulkRequest, terms: Terms, now: dt.datetime
) -> int:
    """Apply the rule to the drafts, under the wallet's lock; returns what to hold, in micros.

    Raises PaymentRequired.
    """
    costs = [None if draft.error else draft.cost_micros for draft in drafts]
    plan = wallet.plan(costs, wallet.spendable(purse), wallet.cap_left(purse, now))
    if plan.stopped_at is not None:
        _stop(drafts, plan, purse.currency, request)
    if terms.max_cost_micros is not None and plan.total_micros > terms.max_cost_micros:
        cost = money.sentence(plan.total_micros, purse.currency)
        allowed = money.sentence(terms.max_cost_micros, purse.currency)
        raise PaymentRequired(
            f"This would cost {cost}, more than max_cost {allowed}.", code="max_cost_exceeded"
        )
    _count_unfunded(purse, drafts, plan, now)
    return plan.total_micros


def _stop(drafts: Sequence[Draft], plan: wallet.Plan, currency: str, request: BulkRequest) -> None:
    """The money, or the day's cap, ends at one row: it says so, every later one is skipped."""
    at, limit = plan.stopped_at or 0, plan.stopped_by or wallet.INSUFFICIENT_BALANCE
    by_balance = limit == wallet.INSUFFICIENT_BALANCE
    left = plan.available_micros if by_balance else plan.cap_left_micros
    sentence, skipped = STOPPED[limit]
    detail = sentence.format(
        required=money.sentence(drafts[at].cost_micros, currency),
        left=money.sentence(left or 0, currency),
    )
    if request.on_insufficient_funds == REJECT:
        raise PaymentRequired(detail, code=limit)
    drafts[at].refuse(limit, detail)
    for draft in drafts[at + 1 :]:
        draft.refuse("skipped", skipped, states.SKIPPED)


def _count_unfunded(
    purse: Wallet, drafts: Sequence[Draft], plan: wallet.Plan, now: dt.datetime
) -> None:
    """Rows of a request that money did not carry to its end, or that pays for nothing at all.

    Wrong numbers in a request that is paid for are not counted: its sender pays for the others.
    The day is the organisation's own. Raises PaymentRequired.
    """
    unfunded = sum(draft.status != states.QUEUED for draft in drafts)
    limit = conf.settings.MAX_UNFUNDED_A_DAY
    if limit is None or not unfunded or (plan.stopped_at is None and unfunded < len(drafts)):
        return
    today = now.astimezone(ZoneInfo(purse.organisation.time_zone)).date()
    before = purse.unfunded_count if purse.unfunded_on == today else 0
    if before + unfunded > limit:
        detail = (
            f"{unfunded} recipients of this request cannot be sent to, and {before} of today's"
            f" could not either; at most {limit} of them are kept a day. Top up first."
        )
        raise PaymentRequired(detail, code="too_many_unfunded")
    same_day = Wallet.objects.filter(pk=purse.pk, unfunded_on=today)
    if not same_day.update(unfunded_count=F("unfunded_count") + unfunded):
        Wallet.objects.filter(pk=purse.pk).update(unfunded_on=today, unfunded_count=unfunded)
