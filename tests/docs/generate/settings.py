"""docs/reference/settings.md, from the dataclass in bulksms/conf.py and the comments in it."""

from __future__ import annotations

import ast
import inspect
from typing import NamedTuple

from bulksms import conf
from tests.docs.generate.markdown import WRITTEN, code, table

#: What each key of ``BULKSMS["ORGANISATION"]`` is.
HOUSE = {
    "name": "For people.",
    "slug": "Its short name in commands.",
    "currency": "Of its wallet, for ever. ISO 4217.",
    "region": "Whose local numbers are meant: `0712345678` is a Kenyan number with `KE`.",
    "time_zone": "Whose day the daily spend cap and local times follow.",
    "sender_id": "The sender of messages that name none.",
}

#: What each key of an entry of ``BULKSMS["CARRIERS"]`` is.
CARRIER = {
    "BACKEND": "Dotted path of the carrier's class: `bulksms.carriers.…`, or one of your own.",
    "OPTIONS": "The carrier's own options; its module and [carriers](carriers.md) list them.",
    "REPORT_TOKEN": "An unguessable word in the address of its reports,"
    " `/callbacks/<name>/<token>/`. Without it no report is taken.",
    "REFUNDS": "Which final states give money back; see [money](../explanation/money.md#refunds).",
    "TRUST_REPORTS": "`True`: something in front of us authenticates its reports, so that they may"
    " give money back.",
}

INTRO = f"""{WRITTEN}
# Settings

One dict, `BULKSMS`, in your settings. Every key has a default; a key that is not in this table is a
mistake and an error of `manage.py check` ([checks](checks.md)). The settings are read each time
that they are needed, so `override_settings` works in tests.

The broker is not in here: it is django-dramatiq's `DRAMATIQ_BROKER`, made with
`bulksms.brokers.configure_rabbitmq` or `configure_redis` ([go live](../howto/go_live.md)).

"""

CARRIERS = """
## A carrier

`BULKSMS["CARRIERS"]` is a dict of carriers by the names that you give them:

"""

ORGANISATION = """
## The house organisation

`BULKSMS["ORGANISATION"]`: who sends when no organisation is named. `migrate` makes it, with
unlimited credit: what is sent is recorded and never refused for want of money.

"""


class Setting(NamedTuple):
    name: str
    type: str
    default: str
    meaning: str


def described(source: str) -> list[Setting]:
    """Every setting of a dataclass's source, with the ``#:`` comment right above it."""
    lines = source.splitlines()
    (body,) = (node for node in ast.parse(source).body if isinstance(node, ast.ClassDef))
    return [
        Setting(
            node.target.id,
            ast.unparse(node.annotation).replace("Mapping[str, Mapping[str, Any]]", "dict of dicts")
            .replace("Mapping[str, Any]", "dict").replace("Mapping", "dict"),
            _default(node.value), _comment(lines, node.lineno - 1),
        )
        for node in body.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    ]  # fmt: skip


def _comment(lines: list[str], at: int) -> str:
    found: list[str] = []
    while lines[at - 1].strip().startswith("#:"):
        at -= 1
        found.insert(0, lines[at].strip().removeprefix("#:").strip())
    return " ".join(found)


def _default(node: ast.expr | None) -> str:
    if node is None:
        return ""
    written = ast.unparse(node)
    factory = {"field(default_factory=dict)": "{}", "field(default_factory=list)": "[]"}
    if written in factory:
        return factory[written]
    # As a person wrote it: 10_000, 48 * 3600.
    return f"{node.value:_}" if isinstance(node, ast.Constant) and _is_int(node) else written


def _is_int(node: ast.Constant) -> bool:
    return type(node.value) is int


def all_settings() -> list[Setting]:
    return described(inspect.getsource(conf.Settings))


def page() -> str:
    rows = [
        (code(each.name), code(each.type), code(each.default), each.meaning)
        for each in all_settings()
    ]
    house = [
        (code(key), code(repr(default)), HOUSE.get(key, ""))
        for key, default in conf.HOUSE_DEFAULTS.items()
    ]
    return "".join((
        INTRO, table(("setting", "type", "default", "meaning"), rows),
        CARRIERS, table(("key", "meaning"), ((code(k), text) for k, text in CARRIER.items())),
        ORGANISATION, table(("key", "default", "meaning"), house),
    ))  # fmt: skip
