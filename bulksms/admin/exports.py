"""What leaves the admin as a file, a page of rows at a time."""

from __future__ import annotations

import csv
import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from bulksms import money, spreadsheet
from bulksms.models import Campaign
from bulksms.services import campaigns
from bulksms.services.outbox import Draft

PAGE = 1_000
HEADER = (
    "id", "number", "input", "status", "parts", "cost_{}", "error", "error_detail", "carrier",
    "attempt", "sent_at", "delivered_at",
)  # fmt: skip


class _Echo:
    """A file that gives back what is written to it."""

    def write(self, text: str) -> str:
        return text


def campaign_csv(campaign: Campaign) -> Iterator[str]:
    """The campaign's messages in input order, as lines of CSV.

    Numbers keep their plus (digits after it are no formula); every other text that a spreadsheet
    would run is neutralised.
    """
    writer = csv.writer(_Echo(), lineterminator="\r\n")
    yield str(writer.writerow([name.format(campaign.currency) for name in HEADER]))
    after: UUID | None = None
    while True:
        page = campaigns.messages(campaign, after=after, limit=PAGE)
        for row in page.rows:
            yield str(writer.writerow(_cells(row)))
        after = page.next_id
        if after is None:
            return


def _cells(row: dict[str, Any]) -> list[object]:
    texts = ("status", "error", "error_detail", "carrier")
    status, error, detail, carrier = (spreadsheet.neutral(row[name]) for name in texts)
    number = f"+{row['number']}" if row["number"] else ""
    return [
        row["id"], number, spreadsheet.neutral(row["input"]), status, row["units"],
        money.amount(row["cost_micros"]), error, detail, carrier, row["attempt"],
        _moment(row["sent_at"]), _moment(row["delivered_at"]),
    ]  # fmt: skip


def _moment(moment: dt.datetime | None) -> str:
    return "" if moment is None else moment.astimezone(dt.UTC).isoformat(timespec="seconds")


def refused(rows: Sequence[Draft]) -> list[tuple[str, int]]:
    """Why rows would not be sent: (sentence, how many), the most frequent first."""
    return Counter(row.detail or row.error for row in rows if row.error).most_common(10)
