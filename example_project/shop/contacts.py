"""Customers made up for the demo: Kenyan names, and numbers from the numbering plan itself."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import phonenumbers
from faker import Faker
from phonenumbers import PhoneNumberFormat, PhoneNumberType

INVALID = ("12345", "0712 34", "+254 20 271 0000", "07123456789012", "2.54712E+11", "not a number")


@dataclass(frozen=True)
class Contact:
    """Somebody to text. ``number`` is as the shop has it: in any form, and sometimes wrong."""

    name: str
    number: str


def make(count: int, seed: int) -> list[Contact]:
    """``count`` contacts, the same ones for the same ``seed``: 3% invalid, 4% listed twice."""
    draw = random.Random(seed)
    names = Faker("en_KE")
    names.seed_instance(seed)
    numbers = _mobile_numbers(draw)
    contacts = [Contact(names.name(), next(numbers)) for _ in range(count)]
    for index in draw.sample(range(count // 10, count), count * 3 // 100):
        contacts[index] = Contact(contacts[index].name, draw.choice(INVALID) + f" #{index}")
    for index in draw.sample(range(count // 10, count), count * 4 // 100):
        contacts[index] = contacts[index // 10]
    return contacts


def _mobile_numbers(draw: random.Random) -> Iterator[str]:
    """Different valid Kenyan mobile numbers, written in the ways people write them."""
    seen = set()
    while True:
        parsed = phonenumbers.PhoneNumber(254, draw.randrange(700_000_000, 799_999_999))
        mobile = phonenumbers.number_type(parsed) == PhoneNumberType.MOBILE
        e164 = phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
        if mobile and e164 not in seen and not e164.startswith("+254700000"):
            seen.add(e164)
            yield draw.choice(
                (e164, e164[1:], "0" + e164[4:], f"{e164[:4]} {e164[4:7]} {e164[7:]}")
            )
