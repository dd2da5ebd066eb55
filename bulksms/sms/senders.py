"""What a sender id may look like. Which senders an organisation may use is data, not here.

Alphanumeric: the address field of an SMS has room for 11 septets of the GSM alphabet (3GPP TS
23.040, 9.1.2.5). Numeric: a short code or a number in digits.
"""

from __future__ import annotations

from bulksms.sms.encoding import is_gsm7, septets

MAX_SEPTETS = 11
MIN_DIGITS, MAX_DIGITS = 3, 15


def check(name: object) -> str | None:
    """None if *name* can be a sender id, else one English sentence why not. Raises nothing.

    1-11 printable GSM characters with at least one letter and no space at either end (a character
    of the extension table, such as "€", takes the place of two), or 3-15 digits.
    """
    if not isinstance(name, str):
        return "A sender id is text."
    if not name:
        return "A sender id cannot be empty."
    if name.isascii() and name.isdigit():
        return None if MIN_DIGITS <= len(name) <= MAX_DIGITS else _DIGITS
    if len(name) > MAX_SEPTETS or septets(name) > MAX_SEPTETS:
        return "A sender id with letters has at most 11 characters (one such as € counts as two)."
    if not is_gsm7(name) or not name.isprintable():
        return "A sender id has only printable characters of the GSM alphabet."
    if name != name.strip():
        return "A sender id does not start or end with a space."
    return None if any(map(str.isalpha, name)) else _LETTER


_DIGITS = "A sender id of digits has 3 to 15 of them."
_LETTER = "A sender id has at least one letter, or is 3 to 15 digits."


def fold(name: str) -> str:
    """The form in which two spellings of one sender id are equal: "MyShop" and "MYSHOP".

    Unlike ``str.casefold`` it keeps letters apart that a handset shows apart ("ß" and "ss").
    """
    return name.lower().replace("ς", "σ")  # lower() makes another letter of a "Σ" at the end
