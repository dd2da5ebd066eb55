"""docs/reference/errors_index.md, from the exceptions and the codes that the sources give."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from bulksms.api import errors as api
from tests.docs.generate.checks import assigned_outside
from tests.docs.generate.markdown import WRITTEN, code, table
from tests.docs.generate.source import ROOT, argument, assigned, sentence, trees

INTRO = f"""{WRITTEN}
# Exceptions

All that this package raises on purpose is a `bulksms.exceptions.BulkSmsError` with a stable `code`
and a sentence, `detail`. After any of them nothing was stored and no money moved. A wrong
configuration is Django's `ImproperlyConfigured`, outside this tree. What the HTTP APIs answer, code
by code, is on the page [errors](errors.md).

```python
try:
    send_bulk(recipients=numbers, message=text)
except InvalidRequest as error:
    for fault in error.errors:  # everything that is wrong with it
        print(fault.field, fault.code, fault.detail)
except (WalletBusy, SendingStopped):
    ...  # try again later
```

"""

OPERATORS = """
## Codes of what operators do

In commands, the admin and calls from Python; no request over HTTP gets them.

"""


class Code(NamedTuple):
    code: str
    text: str


class Raised(NamedTuple):
    """An exception class. What only an HTTP request can meet is on the page of the APIs."""

    name: str
    code: str
    meaning: str
    is_http: bool = False


@cache
def exceptions() -> list[Raised]:
    """The base and every subclass of our own, in the order in which they are written."""
    found = {"BulkSmsError": Raised("BulkSmsError", "error", "")}
    classes = [
        (file, node)
        for file, tree in trees("bulksms") for node in tree.body if isinstance(node, ast.ClassDef)
    ]  # fmt: skip
    for _ in range(3):  # a subclass of a subclass may stand in an earlier file
        for file, node in classes:
            bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
            parent = next((found[base] for base in bases if base in found), None)
            if parent or node.name in found:
                found[node.name] = _raised(node, (parent or found[node.name]).code, file)
    return list(found.values())


def _raised(node: ast.ClassDef, inherited: str, file: Path) -> Raised:
    own = [sentence(n.value) for n in node.body if isinstance(n, ast.Assign)
           and getattr(n.targets[0], "id", "") == "code"]  # fmt: skip
    meaning = (ast.get_docstring(node) or "").partition("\n\n")[0]
    return Raised(node.name, own[0] if own else inherited, meaning, "api" in file.parts)


@cache
def codes() -> list[Code]:
    """Every code that the sources write down where they raise or name a fault; its sentence."""
    names = {each.name for each in exceptions()}
    return sorted({each for _, tree in trees("bulksms") for each in _codes(tree, names)})


def _codes(tree: ast.Module, errors: set[str]) -> Iterator[Code]:
    constants = assigned_outside(tree)
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        for call in ast.walk(function):
            if isinstance(call, ast.Call):
                known = constants | assigned(function, call.lineno)
                yield from _of_call(call, errors, known)


def _of_call(call: ast.Call, errors: set[str], known: dict[str, ast.expr]) -> Iterator[Code]:
    name = getattr(call.func, "id", getattr(call.func, "attr", ""))
    if name == "FieldError":
        yield from _code(argument(call, 1, "code"), argument(call, 2, "detail"), known)
    elif name in errors:
        yield from _code(argument(call, 99, "code"), argument(call, 0, "detail"), known)


def _code(
    written: ast.expr | None, detail: ast.expr | None, known: dict[str, ast.expr]
) -> Iterator[Code]:
    if isinstance(written, ast.Constant):
        yield Code(str(written.value), sentence(detail, known))


def on_the_api_page() -> str:
    return (ROOT / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")


def of_operators() -> list[Code]:
    """The codes that the page of the APIs does not name, the longest sentence of each."""
    theirs = on_the_api_page()
    own = {each.code for each in exceptions()}
    kept: dict[str, str] = {}
    for each in codes():
        if f"`{each.code}`" not in theirs and each.code not in own:
            kept[each.code] = max(kept.get(each.code, ""), each.text, key=len)
    return [Code(*item) for item in sorted(kept.items())]


def page() -> str:
    statuses = {cls.__name__: str(status) for cls, status in api.STATUSES.items()}
    rows = [
        (code(each.name), code(each.code), statuses.get(each.name, ""), each.meaning)
        for each in exceptions() if not each.is_http
    ]  # fmt: skip
    head = ("exception", "code", "HTTP status", "when")
    operators = [(code(each.code), each.text) for each in of_operators()]
    return "".join((
        INTRO, table(head, rows), OPERATORS, table(("code", "it says"), operators),
    ))  # fmt: skip
