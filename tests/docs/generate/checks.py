"""docs/reference/checks.md, from the system checks in the sources."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from tests.docs.generate.markdown import WRITTEN, code, table
from tests.docs.generate.source import SOMETHING, argument, assigned, sentence, trees

ID = re.compile(r"bulksms\.([EWI])\d{3}")
LEVELS = {"E": "error", "W": "warning", "I": "info"}

INTRO = f"""{WRITTEN}
# System checks

`python manage.py check` runs them; so do `migrate`, `runserver` and most other commands. Those that
say *deploy* need `check --deploy`. An error stops the command, a warning does not. `{SOMETHING}`
stands for your own names and values.

"""


class Check(NamedTuple):
    id: str
    deploy: bool
    text: str
    hint: str

    @property
    def level(self) -> str:
        return LEVELS[self.id.removeprefix("bulksms.")[0]]


def found_in(tree: ast.Module) -> Iterator[Check]:
    """Every message with an id of ours that this module makes."""
    deploy = _deploy_only(tree)
    constants = assigned_outside(tree)
    for function in tree.body:
        for call in ast.walk(function):
            if isinstance(call, ast.Call) and (id_ := _id(call)):
                known = constants | assigned(function, call.lineno)
                yield Check(
                    id_, getattr(function, "name", "") in deploy,
                    sentence(argument(call, 0, "msg"), known),
                    sentence(argument(call, 1, "hint"), known),
                )  # fmt: skip


def assigned_outside(tree: ast.Module) -> dict[str, ast.expr]:
    """The module's constants."""
    return {
        to.id: node.value
        for node in tree.body if isinstance(node, ast.Assign)
        for to in node.targets if isinstance(to, ast.Name)
    }  # fmt: skip


def _id(call: ast.Call) -> str:
    values = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "id")]
    texts = [str(v.value) for v in values if isinstance(v, ast.Constant)]
    return next((text for text in texts if ID.fullmatch(text)), "")


def _deploy_only(tree: ast.Module) -> set[str]:
    """The functions that are registered with ``deploy=True``: in a loop, or one by one."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.For | ast.Call) and "deploy=True" in ast.unparse(node):
            names |= {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
            if isinstance(node, ast.For):
                continue
    return names


@cache
def all_checks() -> list[Check]:
    found = {check for _, tree in trees("bulksms") for check in found_in(tree)}
    return sorted(found, key=lambda check: (check.id[-3:], *check))


def page() -> str:
    rows = [
        (code(each.id), each.level + (", deploy" * each.deploy), each.text, each.hint)
        for each in all_checks()
    ]
    return INTRO + table(("id", "level", "it says", "what to do"), rows)
