"""Quotes: what a request would cost and whom it would reach, with nothing stored.

The same validation and the same prices as sending; the funds rule on the balance of this moment.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bulksms import clock, states
from bulksms.models import Organisation
from bulksms.services import intake, wallet
from bulksms.services.outbox import Draft
from bulksms.services.validation import BulkRequest
from bulksms.sms import encoding, replacements, segments


@dataclass(frozen=True, slots=True)
class QuotedRow:
    """One recipient: what it would cost, or why it would be refused. ``text`` None: the common."""

    draft: Draft
    encoding: str
    units: int

    @property
    def cost_micros(self) -> int:
        return 0 if self.draft.error else self.units * self.draft.price_micros


@dataclass(frozen=True, slots=True)
class Forcing:
    """A character that makes texts UCS-2, and how many recipients' texts have it."""

    character: str
    recipients: int

    @property
    def code_point(self) -> str:
        """For reports, because some of these characters cannot be seen: "U+2019"."""
        return f"U+{ord(self.character):04X}"


@dataclass(frozen=True, slots=True)
class Quote:
    """What sending would do now. Money in micros of ``currency``.

    ``total_micros``: all sendable rows; ``affordable`` of them could be paid from the wallet.
    ``saving_micros``: what replacing look-alike characters (curly quotes, dashes ...) would save.
    """

    currency: str
    rows: Sequence[QuotedRow] = field(repr=False)
    duplicates: int
    total_micros: int
    affordable: int
    available_micros: int | None
    forcing: Sequence[Forcing]
    saving_micros: int

    @property
    def sendable(self) -> int:
        return sum(not row.draft.error for row in self.rows)


def quote(organisation: Organisation, request: BulkRequest) -> Quote:
    """Price ``request`` without sending it. Raises InvalidRequest."""
    now = clock.now()
    _, found, currency = intake.prepare(organisation, request, now)
    common = str(request.message) if request.messages is None else ""
    texts = _Texts(common)
    rows = [texts.row(draft) for draft in found.rows]
    purse = wallet.of(organisation)
    available, cap_left = wallet.spendable(purse), wallet.cap_left(purse, now)
    costs = [None if row.draft.error else row.cost_micros for row in rows]
    plan = wallet.plan(costs, available, cap_left)
    reached = rows if plan.stopped_at is None else rows[: plan.stopped_at]
    return Quote(
        currency=currency,
        rows=rows,
        duplicates=found.duplicates,
        total_micros=sum(row.cost_micros for row in rows),
        affordable=sum(row.draft.status == states.QUEUED for row in reached),
        available_micros=available,
        forcing=[Forcing(character, n) for character, n in texts.forcing.most_common()],
        saving_micros=texts.saving_micros,
    )


class _Look(NamedTuple):
    """What a text is; ``forcing``: its characters that no GSM text can have."""

    encoding: str
    units: int
    units_saved: int
    forcing: tuple[str, ...]


class _Texts:
    """Looks at each different text once."""

    def __init__(self, common: str) -> None:
        self._common = common
        self._known: dict[str, _Look] = {}
        self.forcing: Counter[str] = Counter()
        self.saving_micros = 0

    def row(self, draft: Draft) -> QuotedRow:
        text = self._common if draft.text is None else draft.text
        if draft.error:
            return QuotedRow(draft, "", draft.units)
        look = self._look(text)
        self.saving_micros += look.units_saved * draft.price_micros
        self.forcing.update(look.forcing)
        return QuotedRow(draft, look.encoding, look.units)

    def _look(self, text: str) -> _Look:
        if text not in self._known:
            used, units = segments.count(text)
            saved = replacements.replace(text).units_saved
            forcing = tuple(character for character, _ in encoding.forcing_characters(text))
            self._known[text] = _Look(used, units, saved, forcing)
        return self._known[text]
