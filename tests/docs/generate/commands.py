"""docs/reference/commands.md, from the parsers of the management commands."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator

from django.core.management import load_command_class
from django.core.management.base import BaseCommand

from tests.docs.generate.markdown import WRITTEN, anchored, code, table
from tests.docs.generate.source import ROOT

INTRO = f"""{WRITTEN}
# Commands

All are `python manage.py <command>`. They exit with 0 when all is well, with 1 when not, with 2
when they were called wrongly.

"""


def names() -> list[str]:
    folder = ROOT / "bulksms" / "management" / "commands"
    return sorted(file.stem for file in folder.glob("bulksms_*.py"))


def _of_django() -> set[str]:
    parser = BaseCommand().create_parser("manage.py", "any")
    return {option for action in parser._actions for option in action.option_strings}


OF_DJANGO = _of_django()


def arguments(parser: argparse.ArgumentParser) -> list[tuple[str, str]]:
    """(how it is written, what it does) of every argument but those that each command has."""
    return [
        (_written(action), _help(action, parser))
        for action in parser._actions
        if not set(action.option_strings) & OF_DJANGO
        and not isinstance(action, argparse._SubParsersAction)
        and action.help != argparse.SUPPRESS
    ]


def _written(action: argparse.Action) -> str:
    # Some are a set, whose order nobody knows.
    choices = sorted(action.choices or (), key=str)
    value = "|".join(map(str, choices)) or action.metavar or action.dest.upper()
    if not action.option_strings:
        name = value if choices else action.dest
        return code(f"[{name}]" if action.nargs in ("?", "*") else name)
    names = ", ".join(action.option_strings)
    return code(f"{names} {value}" if action.nargs != 0 else names)


def _help(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    text = (action.help or "") % {**vars(action), "prog": parser.prog}
    return f"{text} (required)" if action.required and action.option_strings else text


def _parts(name: str) -> Iterator[str]:
    command = load_command_class("bulksms", name)
    parser = command.create_parser("manage.py", name)
    yield f"\n## {name}\n\n{' '.join(command.help.split())}\n"
    if rows := arguments(parser):
        yield "\n" + table(("argument", "meaning"), rows)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for word, own in action.choices.items():
                yield f"\n### {name} {word}\n\n{' '.join(helps.get(word, '').split())}\n"
                if rows := arguments(own):
                    yield "\n" + table(("argument", "meaning"), rows)


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=\.)\s+(?=[A-Z])", " ".join(text.split()))[0]


def page() -> str:
    first = [
        (
            f"[`{name}`](#{anchored(name)})",
            _first_sentence(load_command_class("bulksms", name).help),
        )
        for name in names()
    ]
    parts = "".join(part for name in names() for part in _parts(name))
    return INTRO + table(("command", "what it does"), first) + parts
