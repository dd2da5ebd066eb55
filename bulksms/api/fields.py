"""Single fields of a request's body, read with every fault named. Both dialects use them.

Each function takes the body and a list that it adds its faults to, and gives the value in the type
that the service wants, or nothing. A field that is null is as one that is not there.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from bulksms import conf
from bulksms.exceptions import FieldError
from bulksms.sms import written

#: A body may have any number of fields or items that are wrong; so many are named.
MAX_NAMED = 20
#: Of states and error codes that are asked for.
MAX_WORDS, MAX_WORD = 100, 60

T = TypeVar("T")

Values = Mapping[str, object]
Faults = list[FieldError]

_MOMENT = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?", re.ASCII | re.IGNORECASE
)


def unknown_fields(data: Values, known: Collection[str], prefix: str = "") -> Faults:
    """A fault for each field that is not ``known``, in the order of the body."""
    faults: Faults = []
    for name in data:
        if name not in known and len(faults) < MAX_NAMED:
            shown = prefix + written.shown(name)
            faults.append(FieldError(shown, "unknown_field", f"There is no field {shown!r}."))
    return faults


def wrong_type(name: str, wanted: str) -> FieldError:
    return FieldError(name, "invalid_type", f"The {name} must be {wanted}.")


def text(data: Values, name: str, faults: Faults) -> str | None:
    """A string. Its length and content are the service's to judge."""
    return _typed(data, name, str, "a string", faults)


def array(data: Values, name: str, faults: Faults, wanted: str = "an array") -> list[Any] | None:
    return _typed(data, name, list, wanted, faults)


def mapping(data: Values, name: str, faults: Faults) -> dict[str, Any] | None:
    return _typed(data, name, dict, "an object", faults)


def flag(data: Values, name: str, faults: Faults) -> bool:
    return bool(_typed(data, name, bool, "true or false", faults))


def choice(data: Values, name: str, allowed: Collection[str], faults: Faults) -> str | None:
    """One of a few words."""
    given = data.get(name)
    if given is None or (isinstance(given, str) and given in allowed):
        return given
    detail = f"The {name} must be {' or '.join(allowed)}."
    faults.append(FieldError(name, "invalid_choice", detail))
    return None


def moment(data: Values, name: str, faults: Faults) -> dt.datetime | None:
    """RFC 3339, e.g. "2026-01-31T08:00:00+03:00"; one without a zone comes back naive."""
    given = text(data, name, faults)
    if given is None:
        return None
    if _MOMENT.fullmatch(given):
        try:
            return dt.datetime.fromisoformat(given.upper())
        except ValueError:  # the 31st of February
            pass
    detail = f"The {name} is no date and time, such as 2026-01-31T08:00:00+03:00."
    faults.append(FieldError(name, "invalid_datetime", detail))
    return None


def amount(data: Values, name: str, faults: Faults) -> Decimal | str | None:
    """An amount of money: a string, or a number as it was written."""
    given = data.get(name)
    if given is None or isinstance(given, str):
        return given
    if isinstance(given, bool) or not isinstance(given, int | float):
        faults.append(wrong_type(name, 'an amount such as "12.50"'))
        return None
    # A float's repr is the shortest text that reads as it: what was written, up to 15 digits.
    return Decimal(given if isinstance(given, int) else repr(given))


def words(data: Values, name: str, faults: Faults) -> list[str] | None:
    """An array of short strings; what the words may be is the service's to judge."""
    given = array(data, name, faults, "an array of strings")
    if given is None:
        return None
    if len(given) <= MAX_WORDS and all(
        isinstance(each, str) and 0 < len(each) <= MAX_WORD and "\x00" not in each for each in given
    ):
        return given
    detail = f"The {name} must be at most {MAX_WORDS} strings of 1 to {MAX_WORD} characters."
    faults.append(FieldError(name, "invalid_value", detail))
    return None


def ids(data: Values, name: str, faults: Faults) -> list[UUID] | None:
    """An array of ids as they were answered."""
    given = array(data, name, faults, "an array of ids")
    if given is None:
        return None
    try:
        return [UUID(each) for each in given]
    except (ValueError, AttributeError, TypeError):
        detail = f"The {name} must be ids as they were answered, such as a result's id."
        faults.append(FieldError(name, "invalid_value", detail))
        return None


def messages(data: Values, name: str, faults: Faults) -> list[dict[str, Any]] | None:
    """Recipients with their own texts: objects with ``to`` and, optional, message and variables."""
    items = array(data, name, faults, "an array of objects, each with a recipient in to")
    if items is None or len(items) > conf.settings.MAX_RECIPIENTS:
        return items  # too many are the service's to refuse
    found: Faults = []
    for index, item in enumerate(items):
        if len(found) >= MAX_NAMED:
            break
        found += _item_faults(item, f"{name}[{index}]")
    faults += found
    if found:
        return None
    return [{key: value for key, value in item.items() if value is not None} for item in items]


def _item_faults(item: object, where: str) -> Faults:
    if not isinstance(item, dict):
        return [wrong_type(where, "an object with a recipient in to")]
    faults = unknown_fields(item, ("to", "message", "variables"), f"{where}.")
    if item.get("to") is None:
        faults.append(FieldError(f"{where}.to", "required", "Give the recipient in to."))
    if not isinstance(item.get("variables"), dict | None):
        faults.append(wrong_type(f"{where}.variables", "an object"))
    return faults


def _typed(data: Values, name: str, kind: type[T], wanted: str, faults: Faults) -> T | None:
    given = data.get(name)
    if given is None or isinstance(given, kind):
        return given
    faults.append(wrong_type(name, wanted))
    return None
