"""Texts with ``{name}`` placeholders, filled once for each recipient.

A placeholder is a brace, an identifier (letters, digits and underscore, not a digit first) and a
brace, nothing between them. There is no attribute, no index, no format: ``{user.password}`` and
``{0}`` are plain text, as are all other braces, so a text that merely has braces in it is sent as
it is. ``{{name}}`` is how to send the text ``{name}``. Values are put in as they are: a
placeholder inside a value stays text.

Compile only the texts of requests that give variables; without variables no text is a template.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

# More than the 255 parts that the header of a long SMS can count: no carrier takes such a text.
MAX_RENDERED_CHARACTERS = 50_000
MAX_PLACEHOLDERS = 200  # 10,000 renderings of a text of nothing but placeholders take minutes
_MAX_NUMBER = 10**40
_PLACEHOLDER = re.compile(r"\{(\{)?([^\W\d]\w*)\}(?(1)\})")


class TemplateError(ValueError):
    """A recipient's text cannot be made; the message is one English sentence that says why."""


class MissingVariable(TemplateError):
    """``name``: the placeholder for which there is no value."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"There is no value for the placeholder {{{_short(name)}}}.")


class BadVariable(TemplateError):
    """``name``: the variable whose value is neither text nor a whole number."""

    def __init__(self, name: str, fault: str) -> None:
        self.name = name
        super().__init__(f"The value of the variable {_short(name)} {fault}.")


class TextTooLong(TemplateError):
    """``characters``: what the text would have; it is not made."""

    def __init__(self, characters: int) -> None:
        self.characters = characters
        super().__init__(
            f"The text would have {characters} characters; {MAX_RENDERED_CHARACTERS} is the most."
        )


class TooManyPlaceholders(TemplateError):
    """``placeholders``: how many the text has, each time it names one counted."""

    def __init__(self, placeholders: int) -> None:
        self.placeholders = placeholders
        super().__init__(
            f"The text has {placeholders} placeholders; {MAX_PLACEHOLDERS} is the most."
        )


@dataclass(frozen=True, slots=True)
class Template:
    """Made by ``compile``. ``names``: the placeholders, each once, in order of appearance."""

    text: str
    names: tuple[str, ...]
    _literals: tuple[str, ...]  # one more than there are slots, around them
    _slots: tuple[str, ...]  # names, in their places
    _characters: int  # of the literals together

    def render(self, variables: Mapping[str, object]) -> str:
        """The text with every placeholder filled; variables that it does not name are ignored.

        Raises MissingVariable, BadVariable (a value that is not str or int; bool is refused) and
        TextTooLong, for the first fault in order of appearance.
        """
        values = [_value(name, variables) for name in self._slots]
        characters = self._characters + sum(map(len, values))
        if characters > MAX_RENDERED_CHARACTERS:  # before it is made: slots multiply
            raise TextTooLong(characters)
        values.append("")  # nothing after the last literal
        return "".join(chain.from_iterable(zip(self._literals, values, strict=True)))


def compile(text: str) -> Template:
    """The template of a text. Raises only TooManyPlaceholders: what is no placeholder is text."""
    literals: list[str] = []
    slots: list[str] = []
    run: list[str] = []  # pieces of the literal that the next placeholder ends
    end = 0
    for found in _PLACEHOLDER.finditer(text):
        run.append(text[end : found.start()])
        end = found.end()
        if found[1]:
            run.append(found[0][1:-1])
        else:
            slots.append(found[2])
            literals.append("".join(run))
            run.clear()
    literals.append("".join([*run, text[end:]]))
    if len(slots) > MAX_PLACEHOLDERS:
        raise TooManyPlaceholders(len(slots))
    names = tuple(dict.fromkeys(slots))
    return Template(text, names, tuple(literals), tuple(slots), sum(map(len, literals)))


def _value(name: str, variables: Mapping[str, object]) -> str:
    try:
        value = variables[name]
    except KeyError:
        raise MissingVariable(name) from None
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadVariable(name, f"is {_kind(value)}; give text or a whole number")
    if abs(value) > _MAX_NUMBER:
        raise BadVariable(name, "is a number of more than 40 digits; give it as text")
    return str(value)


def _kind(value: object) -> str:
    """In words of JSON, where most values come from."""
    words = {type(None): "null", bool: "true or false", float: "a decimal number"}
    words |= {list: "an array", tuple: "an array", dict: "an object"}
    return words.get(type(value), f"of type {type(value).__name__}")


def _short(name: str) -> str:
    return name if len(name) <= 50 else name[:49] + "…"
