"""From what people write to E.164 digits, or to a reason why not.

``normalise("0712 345 678", "KE")`` is ``Number("254712345678", "KE", ...)``. ``phonenumbers``
decides what a number is; a pattern built from its metadata (``plans``) answers for the ordinary
ones. What looks odd is refused, never repaired: a wrong guess is a text to a stranger.

Every function takes any object and raises only ValueError, for an unknown *region*.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberType, ValidationResult
from phonenumbers.shortnumberinfo import is_possible_short_number_for_region

from bulksms.sms import written
from bulksms.sms.plans import calling_code, mobile_pattern

SPREADSHEET = "spreadsheet number"  # the hint: a cell was a number where it has to be text
ONE_EACH = "one number for each recipient"

SENTENCES = {
    "not_text": "The recipient is not text.",
    "empty": "The recipient is empty.",
    "invalid_characters": "The recipient has characters that do not belong in a phone number.",
    "unknown_country_code": "The number does not start with a known country code.",
    "too_short": "Too short for a mobile number of {region}.",
    "too_long": "Too long for a mobile number of {region}.",
    "not_valid": "Not valid for {region}.",
    "short_code": "A short code of {region} cannot receive bulk SMS.",
    "landline": "A landline of {region} cannot receive SMS.",
    "premium_rate": "A premium rate number of {region} cannot receive SMS.",
    "toll_free": "A toll-free number of {region} cannot receive SMS.",
    "shared_cost": "A shared cost number of {region} cannot receive SMS.",
    "voip": "An internet telephony number of {region} is not a mobile number.",
    "personal_number": "A personal number of {region} is not a mobile number.",
    "pager": "A pager of {region} is not a mobile number.",
    "company_number": "A company-wide number of {region} is not a mobile number.",
    "voicemail": "A voicemail number of {region} cannot receive SMS.",
}
_ADVICE = {
    SPREADSHEET: "It looks like a spreadsheet number: make the cell text.",
    ONE_EACH: "Write one number for each recipient.",
}
_KINDS = {
    PhoneNumberType.FIXED_LINE: "landline",
    PhoneNumberType.PREMIUM_RATE: "premium_rate",
    PhoneNumberType.TOLL_FREE: "toll_free",
    PhoneNumberType.SHARED_COST: "shared_cost",
    PhoneNumberType.VOIP: "voip",
    PhoneNumberType.PERSONAL_NUMBER: "personal_number",
    PhoneNumberType.PAGER: "pager",
    PhoneNumberType.UAN: "company_number",
    PhoneNumberType.VOICEMAIL: "voicemail",
}
_LENGTHS = {
    ValidationResult.TOO_SHORT: "too_short",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "too_short",
    ValidationResult.TOO_LONG: "too_long",
}
_PARSE_ERRORS = {
    NumberParseException.INVALID_COUNTRY_CODE: "unknown_country_code",
    NumberParseException.TOO_LONG: "too_long",
}


@dataclass(frozen=True, slots=True)
class Number:
    """A mobile number. ``e164``: digits without plus; ``region``: its country ("001": none)."""

    e164: str
    region: str
    input: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why no SMS can go there. ``reason``: a key of SENTENCES; ``hint``: what to do, or "".

    ``input`` is what was written, made safe to show and store: at most 64 characters, without
    NUL and lone surrogates. ``region`` is the country whose numbering plan was asked.
    """

    reason: str
    hint: str
    input: str
    region: str = ""

    @property
    def detail(self) -> str:
        """English, for people: what is wrong and, where there is a hint, what to do."""
        sentence = SENTENCES[self.reason].format(region=self.region or "its country")
        advice = _ADVICE.get(self.hint) or (f"Hint: {self.hint.rstrip('.')}." if self.hint else "")
        return f"{sentence} {advice}".rstrip()


def normalise(raw: object, region: str) -> Number | Refusal:
    """Read one recipient as someone in *region* ("KE") writes it.

    Whether the destination is allowed is for the caller to ask of ``Number.region``.
    Raises ValueError for a region that ``phonenumbers`` does not know.
    """
    return normalise_many((raw,), region)[0]


def normalise_many(raws: Iterable[object], region: str) -> list[Number | Refusal]:
    """``normalise`` for each of *raws*, in their order; made for 10,000 at a time."""
    code, pattern = calling_code(region), mobile_pattern(region)
    if pattern is None:
        return [normalise_by_library(raw, region) for raw in raws]
    answers: list[Number | Refusal] = []
    for raw in raws:
        if isinstance(raw, str) and (found := written.match_ordinary(raw, pattern)):
            answers.append(Number(code + found[1], region, raw))
        else:
            answers.append(normalise_by_library(raw, region))
    return answers


def normalise_by_library(raw: object, region: str) -> Number | Refusal:
    """``normalise`` without the pattern: slow, and what the pattern is tested against."""
    calling_code(region)  # an unknown region is the caller's mistake, not the recipient's
    if not isinstance(raw, str):
        hint = SPREADSHEET if written.looks_like_spreadsheet(raw) else "write the number as text"
        return Refusal("not_text", hint, written.shown(raw), region)
    if len(raw) > written.MAX_CHARACTERS:
        return Refusal("too_long", ONE_EACH, written.shown(raw), region)
    text = written.bare(raw)
    digits = written.digits_of(text)
    return _odd(raw, text, region) if digits is None else _read(raw, digits, region)


def mask(e164: str) -> str:
    """A number for logs: ``mask("254712345678") == "+2547••••678"``; the plus may be there.

    At least four digits are hidden; what is no number is hidden as a whole.
    """
    digits = e164.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()) or len(digits) < 7:
        return "••••"
    return f"+{digits[: min(4, len(digits) - 7)]}••••{digits[-3:]}"


def _odd(raw: str, text: str, region: str) -> Refusal:
    if not text:
        return Refusal("empty", "", written.shown(raw), region)
    hint = ONE_EACH if written.looks_like_several(text) else ""
    if written.looks_like_spreadsheet(text):
        hint = SPREADSHEET
    return Refusal("invalid_characters", hint, written.shown(raw), region)


def _read(raw: str, digits: str, region: str) -> Number | Refusal:
    """Without a plus: as the region reads it; where that is not valid, as "+digits"."""
    if digits[0] == "+":
        return _judge(raw, digits, None, region)
    first = _judge(raw, digits, region, region)
    if _is_certain(first) or digits[0] == "0":
        return first
    second = _judge(raw, "+" + digits, None, region)
    return second if _is_certain(second) else first


def _is_certain(answer: Number | Refusal) -> bool:
    """Whether the digits are a valid number, be it one that takes no SMS."""
    return isinstance(answer, Number) or answer.reason in _VALID_KINDS


_VALID_KINDS = frozenset(_KINDS.values())


def _judge(raw: str, digits: str, read_in: str | None, region: str) -> Number | Refusal:
    """One reading of the digits: in a region, or (None) as the international form they are."""
    try:
        number = phonenumbers.parse(digits, read_in)
    except NumberParseException as error:
        reason = _PARSE_ERRORS.get(error.error_type, "too_short")
        return Refusal(reason, _hint(digits, region, reason), written.shown(raw), read_in or "")
    home = phonenumbers.region_code_for_number(number)
    kind = phonenumbers.number_type(number) if home else PhoneNumberType.UNKNOWN
    if home and kind in _TAKES_SMS:
        e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        return Number(e164[1:], home, raw)
    plan = home or phonenumbers.region_code_for_country_code(number.country_code or 0)
    reason = _KINDS.get(kind) or _why_invalid(number, digits, plan)
    return Refusal(reason, _hint(digits, region, reason), written.shown(raw), plan)


_TAKES_SMS = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)


def _why_invalid(number: PhoneNumber, digits: str, plan: str) -> str:
    if digits[0] not in "+0" and is_possible_short_number_for_region(number, plan):
        return "short_code"
    mobile = PhoneNumberType.MOBILE  # a landline's shorter number is no excuse for a missing digit
    length = phonenumbers.is_possible_number_for_type_with_reason(number, mobile)
    return _LENGTHS.get(length, "not_valid")


def _hint(digits: str, region: str, reason: str) -> str:
    """For "00254..." and "0254...": the form that can be read. Never read so for the writer."""
    bare = digits.removeprefix("+")
    dialled = bare.startswith("00")
    if not dialled and not (bare.startswith("0") and reason == "too_long"):
        return ""
    code = calling_code(region)
    if bare.lstrip("0").startswith(code):
        return f"write +{code}..."
    return "write + and the country code" if dialled else ""
