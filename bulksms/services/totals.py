"""What the rows of a campaign come to, written to its holds before retention deletes the rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Q, QuerySet, Sum

from bulksms import db, states
from bulksms.models import Campaign, Hold, Message, MessageAttempt

HOLDS = Hold._meta.db_table


@dataclass(frozen=True, slots=True)
class Totals:
    """What the rows of some campaigns come to: per hold (price, captured, released, refunded), the
    holds of each campaign with what they say themselves, and whether all its rows are there."""

    rows: dict[int, tuple[int, ...]]
    holds: dict[UUID, dict[int, tuple[int, ...]]]
    complete: set[UUID]


def of(ids: Sequence[UUID]) -> Totals:
    rows: dict[int, tuple[int, ...]] = {}
    for found in (
        _per_hold(Message.objects.filter(campaign_id__in=ids)),
        _per_hold(MessageAttempt.objects.filter(message__campaign_id__in=ids)),
    ):
        for hold, *sums in found:
            known = rows.get(hold, (0, 0, 0, 0))
            rows[hold] = tuple(a + int(b or 0) for a, b in zip(known, sums, strict=True))
    holds: dict[UUID, dict[int, tuple[int, ...]]] = {id_: {} for id_ in ids}
    said = Hold.objects.filter(campaign_id__in=ids).values_list(
        "campaign_id", "id", "held_micros", "captured_micros", "released_micros",
        "refunded_micros",
    )  # fmt: skip
    for campaign, hold, *amounts in said:
        holds[campaign][hold] = tuple(amounts)
    counted = dict(
        Message.objects.filter(campaign_id__in=ids).values_list("campaign_id").annotate(Count("id"))
    )
    wanted = Campaign.objects.filter(id__in=ids).values_list("id", "recipients_count")
    return Totals(rows, holds, {id_ for id_, many in wanted if counted.get(id_, 0) == many})


def _per_hold(tries: QuerySet[Any]) -> Iterable[tuple[int, ...]]:
    sums: QuerySet[Any, tuple[int, ...]] = (
        tries.filter(hold__isnull=False)
        .values_list("hold_id")
        .annotate(
            price=Sum(F("units") * F("unit_price_micros")),
            captured=Sum("captured_micros"),
            released=Sum("cost_micros", filter=Q(charge=states.RELEASED)),
            refunded=Sum("refunded_micros"),
        )
    )
    return sums


def is_sound(campaign: UUID, totals: Totals) -> bool:
    """Rows that do not add up stay: deleting them would hide it."""
    holds = totals.holds[campaign]
    return campaign in totals.complete and all(
        totals.rows.get(hold, (0, 0, 0, 0)) == said for hold, said in holds.items()
    )


def write(ids: Sequence[UUID], totals: Totals) -> None:
    names = ("price", "captured", "released", "refunded")
    columns = {"id": db.INT, **{f"rows_{name}_micros": db.INT for name in names}}
    rows = [
        (hold, *totals.rows.get(hold, (0, 0, 0, 0))) for id_ in ids for hold in totals.holds[id_]
    ]
    db.update(HOLDS, columns, rows)
