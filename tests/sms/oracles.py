"""Other ways to the same answers, written apart from the code under test."""

from __future__ import annotations

import random
import re

import phonenumbers

from bulksms.sms.numbers import Number

# The six ways in which Kenyan mobile numbers come: international with and without plus, local,
# without any prefix, with spaces, with dashes and parentheses. `{}` are the three groups.
WRITTEN_FORMS = (
    "+254{}{}{}",
    "254{}{}{}",
    "0{}{}{}",
    "{}{}{}",
    "+254 {} {} {}",
    "(0{}) {}-{}",
)
_PLAINLY_WRITTEN = re.compile(r"\+?[0-9](?:[0-9 -]*[0-9])?")


def by_the_book(raw: str, region: str) -> Number | None:
    """What ``phonenumbers`` alone says of a plainly written number; None: not a mobile number.

    For other writing, where the library guesses and the project refuses, it has no opinion:
    ask ``is_plainly_written`` first.
    """
    readings = [(raw, None)] if raw.startswith("+") else [(raw, region), ("+" + raw, None)]
    for text, read_in in readings:
        try:
            number = phonenumbers.parse(text, read_in)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            return _if_mobile(raw, number)
    return None


def is_plainly_written(raw: str) -> bool:
    return _PLAINLY_WRITTEN.fullmatch(raw) is not None


def _if_mobile(raw: str, number: phonenumbers.PhoneNumber) -> Number | None:
    if phonenumbers.number_type(number) not in (
        phonenumbers.PhoneNumberType.MOBILE,
        phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
    ):
        return None
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return Number(e164.removeprefix("+"), phonenumbers.region_code_for_number(number) or "", raw)


def kenyan_batch(size: int, seed: int) -> list[str]:
    """Numbers in the six written forms in turn, 3% of them invalid or foreign."""
    random_ = random.Random(seed)
    batch = [_kenyan(random_, WRITTEN_FORMS[i % 6]) for i in range(size * 97 // 100)]
    batch += [random_.choice(_INVALID_OR_FOREIGN) for _ in range(size - len(batch))]
    random_.shuffle(batch)
    return batch


def _kenyan(random_: random.Random, form: str) -> str:
    start = random_.choice(["70", "71", "72", "79", "74", "110", "112", "114"])
    digits = start + "".join(random_.choices("0123456789", k=9 - len(start)))
    return form.format(digits[:3], digits[3:6], digits[6:])


_INVALID_OR_FOREIGN = (
    "+256772123456",
    "256 772 123456",
    "+255754123456",
    "0201234567",
    "071234567",
    "07123456789",
    "+25471234567",
    "22141",
    "not a number",
    "2.54712E+11",
)


def spoiled(random_: random.Random, seeds: list[str]) -> str:
    """One of the seeds with up to three signs changed, put in, left out or swapped."""
    text = list(random_.choice(seeds))
    for _ in range(random_.randint(0, 3)):
        place = random_.randrange(len(text) + 1)
        sign = random_.choice(_SIGNS)
        action = random_.randrange(4)
        if action == 0:
            text.insert(place, sign)
        elif action == 1 and place < len(text):
            text[place] = sign
        elif action == 2 and place < len(text):
            del text[place]
        elif len(text) > 1:
            i = min(place, len(text) - 2)
            text[i], text[i + 1] = text[i + 1], text[i]
    return "".join(text)


_SIGNS = "0123456789" * 4 + "+ -().,/x#eE\n\t\u00a0\u202a\u202e\u200b\u2011\u0660\uff11\uff0b\x00"
