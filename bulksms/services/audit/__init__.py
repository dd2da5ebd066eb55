"""The audit: does every cent and every row add up? It only tells; it changes nothing.

A check is a name and the queries that find what breaks it; they stand in the modules beside this
one. All of them look at the same moment, so that a busy system gives no false alarm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bulksms import clock
from bulksms.services.audit import campaigns, holds, ledger, requests, rows
from bulksms.services.audit.query import Fault, Query, Result, run
from bulksms.services.audit.snapshot import snapshot

__all__ = ["CHECKS", "FAULTS_SHOWN", "Fault", "Result", "faults", "results"]

#: Faults that a check tells by default; the rest is counted.
FAULTS_SHOWN = 20

CHECKS: Mapping[str, tuple[Query, ...]] = {
    "wallet = its entries": (ledger.WALLET_SUM,),
    "wallet within its limit": (ledger.WALLET_LIMIT,),
    "ledger chain without a gap": (ledger.CHAIN, ledger.OWED_CHAIN, ledger.CHAIN_END),
    "capture chain without a gap": (ledger.CAPTURE_CHAIN, ledger.CAPTURE_CHAIN_END),
    "entries fit their hold": (ledger.ENTRIES_FIT,),
    "one movement per key": (ledger.ONCE_PER_KEY,),
    "hold = its entries": (holds.LEDGER_SUM,),
    "hold = units x price of its rows": (holds.PRICE_SUM,),
    "hold settled = its rows": (holds.ROWS_SUM,),
    "open hold = open rows": (holds.OPEN_ROWS,),
    "no hold beyond its time": (holds.TOO_OLD,),
    "cost = units x price": (rows.COST,),
    "charge fits status": (rows.CHARGE,),
    "no refund above capture": (rows.REFUND, rows.HOLD_REFUND),
    "refund = its message's": (rows.REFUND_ROW,),
    "accepted = paid for": (rows.PAID_FOR,),
    "captured = accepted": (rows.CAPTURED_FOR,),
    "done = final": (rows.DONE,),
    "every row's parents exist": (rows.PARENTS, rows.ATTEMPT_PARENTS),
    "campaign cost = its rows": (campaigns.COST, campaigns.PAID_BY_ITS_OWN),
    "campaign counters = its rows": (campaigns.COUNTERS,),
    "run counters = its rows": (campaigns.RUN_COUNTERS, campaigns.NO_RUN),
    "one currency": (campaigns.CURRENCY,),
    "one organisation, test or live": (*campaigns.FOREIGN, campaigns.TWINS),
    "one campaign per reference and key": campaigns.ONCE,
    "requests own their rows": (requests.SENDING, requests.OWNED, requests.ABANDONED),
}


def results(limit: int = FAULTS_SHOWN) -> Iterator[Result]:
    """A result per check, in order, with up to ``limit`` faults each.

    A transaction is open until the last one is taken: read nothing else meanwhile.
    """
    now = clock.now()
    with snapshot():
        for name, queries in CHECKS.items():
            found = [run(name, query, now, limit) for query in queries]
            told = [fault for result in found for fault in result.faults]
            hidden = sum(result.hidden for result in found) + len(told[limit:])
            yield Result(name, told[:limit], hidden)


def faults(limit: int = FAULTS_SHOWN) -> Iterator[Fault]:
    """Every fault found, up to ``limit`` of each check."""
    for result in results(limit):
        yield from result.faults
