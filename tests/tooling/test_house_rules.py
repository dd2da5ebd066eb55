"""House rules that no linter has; each is also shown a breach, so that it cannot fall asleep."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TypeGuard

import pytest

from tests.plugins.wheel import PACKAGES
from tests.tooling.source import (
    Function,
    Module,
    functions,
    imported,
    is_or_is_in,
    modules,
    parse,
    written_by_hand,
)

# Django's and Python's own places for a late import.
LAZY_PLACES = {("ready", "apps.py"), ("__getattr__", "__init__.py")}

MODULE_LINES = 500
FUNCTION_LINES = 70

# What the layers below the entry points know nothing of; import-linter can only name all of django.
BELOW_ENTRY_POINTS = re.compile(
    r"bulksms/(services|models|carriers|sms)/|bulksms/(queues|signals|db|states|money)\.py"
)
HTTP_SIDE_OF_DJANGO = ("django.http", "django.shortcuts", "django.views", "django.urls")

# A default that the database or Django takes from the wall clock, past bulksms.clock.
SELF_DATING = ("auto_now", "auto_now_add")
SELF_DATING_CLASSES = ("TimeStampedModel", "AutoLastModifiedField")
SQL_CLOCK = re.compile(
    r"\b(now|clock_timestamp|statement_timestamp|transaction_timestamp|unixepoch|julianday)\s*\(\s*\)"
    r"|\bcurrent_(timestamp|time|date)\b|'now'",
    re.IGNORECASE,
)
SQL = re.compile(
    r"\b(select|insert|update|delete|with|where|set|returning|values)\b", re.IGNORECASE
)


def imports_inside_functions(module: Module) -> Iterator[str]:
    for function in functions(module):
        if (function.name, module.path.rpartition("/")[2]) in LAZY_PLACES:
            continue
        for node in ast.walk(function):
            if any(is_or_is_in(name, PACKAGES) for name in imported(node)):
                yield f"{module.place(node)} in {function.name}()"


def http_below_entry_points(module: Module) -> Iterator[str]:
    if BELOW_ENTRY_POINTS.match(module.path):
        for node in ast.walk(module.tree):
            if any(is_or_is_in(name, HTTP_SIDE_OF_DJANGO) for name in imported(node)):
                yield module.place(node)


def self_dating_columns(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.keyword) and node.arg in SELF_DATING:
            yield f"{module.place(node)} {node.arg}"
        for name in imported(node):
            if name.rpartition(".")[2] in SELF_DATING_CLASSES:
                yield f"{module.place(node)} {name}"
        if is_call_of(node, "AutoCreatedField") and not has_keyword(node, "default"):
            yield f"{module.place(node)} AutoCreatedField without a default"


def is_call_of(node: ast.AST, name: str) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == name


def has_keyword(call: ast.Call, name: str) -> bool:
    return any(keyword.arg == name for keyword in call.keywords)


def sql_that_reads_the_clock(module: Module) -> Iterator[str]:
    prose = {id(node.value) for node in ast.walk(module.tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(module.tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in prose
            and SQL.search(node.value)
            and (found := SQL_CLOCK.search(node.value))
        ):
            yield f"{module.place(node)} {found.group()}"


def too_long_modules(module: Module) -> Iterator[str]:
    lines = module.text.count("\n")
    if lines > MODULE_LINES:
        yield f"{module.path}: {lines} lines"


def too_long_functions(module: Module) -> Iterator[str]:
    for function in functions(module):
        lines = length(function)
        if lines > FUNCTION_LINES:
            yield f"{module.place(function)} {function.name}(): {lines} lines"


def length(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


# rule, what to say, (path, code) of a breach
RULES = [
    (
        imports_inside_functions,
        "own modules are imported at the top of the file (but for AppConfig.ready and a package's "
        "__getattr__); "
        "a circle means that something stands on the wrong floor",
        ("bulksms/x.py", "def f():\n    from bulksms.services import wallet\n"),
    ),
    (
        http_below_entry_points,
        "services, models, carriers and rules know nothing of HTTP requests",
        ("bulksms/services/x.py", "from django.http import HttpResponse\n"),
    ),
    (
        self_dating_columns,
        "time is passed: no auto_now, and nothing of model_utils that dates itself",
        ("bulksms/models/x.py", "a = DateTimeField(auto_now=True)\n"),
    ),
    (
        self_dating_columns,
        "time is passed: no auto_now, and nothing of model_utils that dates itself",
        ("bulksms/models/x.py", "from model_utils.models import TimeStampedModel\n"),
    ),
    (
        self_dating_columns,
        "time is passed: no auto_now, and nothing of model_utils that dates itself",
        ("bulksms/models/x.py", "created_at = AutoCreatedField()\n"),
    ),
    (
        sql_that_reads_the_clock,
        "SQL gets the time as a parameter from bulksms.clock.now()",
        ("bulksms/services/x.py", "q = 'UPDATE a SET b = now() WHERE c = 1'\n"),
    ),
    (
        too_long_modules,
        f"a module has at most {MODULE_LINES} lines (250 is a lot)",
        ("bulksms/x.py", "x = 1\n" * (MODULE_LINES + 1)),
    ),
    (
        too_long_functions,
        f"a function has at most {FUNCTION_LINES} lines (30 is a lot)",
        ("simulator/x.py", "def f():\n" + "    x = 1\n" * FUNCTION_LINES),
    ),
]
IDS = [f"{rule.__name__}-{number}" for number, (rule, _, _) in enumerate(RULES)]


@pytest.mark.parametrize(("rule", "saying", "breach"), RULES, ids=IDS)
def test_the_house_rule_is_kept(rule, saying, breach) -> None:
    found = [place for module in written_by_hand(modules()) for place in rule(module)]
    assert not found, f"{saying}:\n  " + "\n  ".join(found)


@pytest.mark.parametrize(("rule", "saying", "breach"), RULES, ids=IDS)
def test_the_house_rule_finds_a_breach(rule, saying, breach) -> None:
    assert list(rule(parse(*breach)))


@pytest.mark.parametrize(
    ("rule", "path", "code"),
    [
        (
            imports_inside_functions,
            "bulksms/apps.py",
            "def ready(self):\n    import bulksms.tasks\n",
        ),
        (imports_inside_functions, "bulksms/x.py", "def f():\n    import redis\n"),
        (http_below_entry_points, "bulksms/api/x.py", "from django.http import HttpResponse\n"),
        (self_dating_columns, "bulksms/x.py", "a = AutoCreatedField(default=clock.now)\n"),
        (sql_that_reads_the_clock, "bulksms/x.py", "'''Select what is due now() or later.'''\n"),
        (too_long_functions, "bulksms/x.py", "def f():\n" + "    x = 1\n" * (FUNCTION_LINES - 1)),
    ],
)
def test_the_house_rule_allows_what_is_right(rule, path: str, code: str) -> None:
    assert not list(rule(parse(path, code)))
