"""Decides the fate of one message: every truth knob is read here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from simulator.engine import draws, words
from simulator.engine.book import Counted, RuleBook
from simulator.engine.ids import write_id
from simulator.engine.knobs import IdForms, Outcome, Price, Refuse, Span
from simulator.engine.messages import Pending, Record, Shape, Submission
from simulator.engine.oracle import Oracle
from simulator.engine.parts import count_parts
from simulator.engine.planner import Planner
from simulator.engine.rules import Match, Rule
from simulator.engine.shared import Hit, SharedState

#: A number that no network could have is refused without any rule.
NOT_A_NUMBER = Rule(
    name="built in: not a number",
    salt="not-a-number",
    match=Match(),
    outcome=Outcome(Refuse("invalid_number", words.DETAIL_OF_CODE["invalid_number"]), ()),
)
_FEWEST_DIGITS, _MOST_DIGITS = 7, 15
_DELIVERED = Outcome()
_HEX = IdForms()
_CENT_MICROS = 100


@dataclass(frozen=True, slots=True)
class FateSettings:
    """What every draw hangs on (seed, account name) and what holds where no rule does."""

    seed: int
    account: str
    report_delay: Span
    report_grain_us: int
    price: Price


class Fate:
    """Decides messages and plans their reports."""

    def __init__(
        self, settings: FateSettings, book: RuleBook, oracle: Oracle, shared: SharedState
    ) -> None:
        self._settings = settings
        self._book = book
        self._oracle = oracle
        self._shared = shared
        self._deduplicates = book.uses("dedupe_by_ref")
        #: Whether a rule may say more of a message than its outcome.
        self._says_more = any(book.uses(knob) for knob in ("id_form", "price", "reply"))
        self._planner = Planner(settings.report_delay, settings.report_grain_us)
        #: What messages cost where no rule says so, by their parts.
        self._prices: dict[int, str | float | None] = {}

    def content(self, message: Submission) -> bytes:
        settings = self._settings
        return draws.content_digest(
            settings.seed, settings.account, message.to, message.sender, message.text
        )

    def decide(
        self, message: Submission, content: bytes, now: int, shape: Shape
    ) -> tuple[Record, list[Pending] | None]:
        """Decide one message of a request that was read, and take it into the books.

        None instead of planned callbacks: de-duplicated, the record is an earlier acceptance.
        """
        counted: Counted = {}
        if self._deduplicates:
            known = self._deduplicated(message, content, counted)
            if known is not None:
                return known, None
        if self._shared.is_used:
            hit = self._shared.refuse_message(message, now) or self._shared.out_of_credit(message)
            if hit is not None:
                record = _refused_by_state(blank_record(message, content, now, shape), hit)
                self._oracle.add(record)
                return record, []
        identity = self._oracle.identify(message.client_ref, content)
        occurrence, try_number = identity.occurrence, identity.try_number
        record = blank_record(message, content, now, shape, occurrence, try_number)
        planned = self._settle(record, message, counted)
        self._oracle.add(record, identity)
        return record, planned

    def _settle(self, record: Record, message: Submission, counted: Counted) -> list[Pending]:
        """Fill in the outcome, the id, the price; plan what follows."""
        key = share_key(record)
        base = key + record.try_number.to_bytes(4, "little")
        pool = draws.pool(base)
        rule, outcome = self._outcome(record, message, key, counted)
        hits = [("outcome", rule)] if rule is not None else []
        forms = _HEX
        says_more = self._says_more or message.to in self._book.magic
        if says_more and (id_rule := self.rule_of("id_form", message, key, counted, hits)):
            forms = id_rule.id_form or _HEX
        record.report_as = report_as = write_id(pool[0] >> 1, forms.report)
        if outcome.refuse is not None:
            record.code, record.detail = outcome.refuse.code, outcome.refuse.detail
        else:
            record.status = words.ACCEPTED
            same = forms.answer == forms.report
            record.id = report_as if same else write_id(pool[0] >> 1, forms.answer)
            if says_more and (rule := self.rule_of("price", message, key, counted, hits)):
                record.price = write_price(rule.price or self._settings.price, record.parts)
            else:
                record.price = self._plain_price(record.parts)
            if self._shared.is_used:
                self._shared.charge(message)
        if hits:
            record.hits = tuple(hits)
        record.reports = reports = self._planner.reports(record, outcome, base, pool)
        if not says_more:
            return reports
        return self._with_reply(record, message, key, counted, base)

    def _plain_price(self, parts: int) -> str | float | None:
        if parts not in self._prices:
            self._prices[parts] = write_price(self._settings.price, parts)
        return self._prices[parts]

    def _with_reply(
        self, record: Record, message: Submission, key: bytes, counted: Counted, base: bytes
    ) -> list[Pending]:
        """Return the planned reports, and the handset's reply where a rule wants one."""
        if record.status != words.ACCEPTED:
            return record.reports
        rule = self.rule_of("reply", message, key, counted)
        if rule is None or rule.reply is None:
            return record.reports
        record.hits = (*record.hits, ("reply", rule))
        return [*record.reports, self._planner.reply(record, rule.reply, base)]

    def _outcome(
        self, record: Record, message: Submission, key: bytes, counted: Counted
    ) -> tuple[Rule | None, Outcome]:
        digits, try_number = message.to, record.try_number
        if not (_FEWEST_DIGITS <= len(digits) <= _MOST_DIGITS and digits.isdigit()):
            return NOT_A_NUMBER, NOT_A_NUMBER.outcome or _DELIVERED
        for rule in self._book.candidates("outcome", digits):
            outcome = rule.outcome
            if outcome is None or (outcome.refuse and _is_spent(outcome.refuse, try_number)):
                continue
            if self._book.matches(rule, message, key, counted):
                return rule, outcome
        return None, _DELIVERED

    def rule_of(
        self,
        knob: str,
        message: Submission,
        key: bytes,
        counted: Counted,
        hits: list[tuple[str, Rule]] | None = None,
    ) -> Rule | None:
        """Return the rule that decides `knob` for this message, if any; note it in `hits`."""
        if not self._book.concerns(knob, message.to):
            return None
        for rule in self._book.candidates(knob, message.to):
            if self._book.matches(rule, message, key, counted):
                if hits is not None:
                    hits.append((knob, rule))
                return rule
        return None

    def _deduplicated(self, message: Submission, content: bytes, counted: Counted) -> Record | None:
        """Return the earlier acceptance of this reference where a rule de-duplicates."""
        if not message.client_ref:
            return None
        rule = self.rule_of("dedupe_by_ref", message, content, counted)
        if rule is None or not rule.dedupe_by_ref:
            return None
        earlier = self._oracle.records(client_ref=message.client_ref)
        return next((r for r in earlier if r.status == words.ACCEPTED), None)


def blank_record(
    message: Submission,
    content: bytes,
    now: int,
    shape: Shape,
    occurrence: int = 0,
    try_number: int = 0,
) -> Record:
    """Return a record of `message`, not decided yet."""
    client_ref, to, sender, text, validity_s = message
    parts = count_parts(text)
    return Record(
        client_ref,
        to,
        sender,
        text,
        validity_s,
        shape,
        now,
        content,
        occurrence,
        try_number,
        parts,
    )


def _refused_by_state(record: Record, hit: Hit) -> Record:
    record.code, record.detail = hit.code, words.DETAIL_OF_CODE[hit.code]
    record.hits = ((hit.knob, hit.rule),)
    return record


def share_key(record: Record) -> bytes:
    """Return what the share of a rule is drawn from: the message, not the try."""
    return record.key + record.occurrence.to_bytes(4, "little")


def _is_spent(refuse: Refuse, try_number: int) -> bool:
    return refuse.tries is not None and try_number >= refuse.tries


@lru_cache(maxsize=1024)
def write_price(price: Price, parts: int) -> str | float | None:
    """Return the price of `parts` as the answer writes it (micros never lose a digit)."""
    micros = price.amount_micros * parts
    tenths = f"{micros // 1_000_000}.{micros % 1_000_000 // _CENT_MICROS:04d}"
    match price.form:
        case "text":
            return f"{price.currency} {tenths}"
        case "comma":
            return f"{price.currency} {tenths.replace('.', ',')}"
        case "number":
            return micros / 1_000_000
        case "zero":
            return "0"
        case "missing":
            return None
