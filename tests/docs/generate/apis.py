"""docs/reference/apis.md, from the OpenAPI documents that the two dialects serve."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.docs.generate.markdown import WRITTEN, code, table
from tests.docs.generate.source import ROOT

#: (dialect, what it is).
DIALECTS = (
    ("v1", 'snake_case. Mount it alone with `include("bulksms.api.v1.urls")`.'),
    ("outbox", 'camelCase. Mount it alone with `include("bulksms.api.outbox.urls")`.'),
)

INTRO = f"""{WRITTEN}
# The HTTP APIs

Two dialects of one API, over the same rows: v1 and outbox. Both want `Authorization: Bearer <key>`
and JSON, and serve their OpenAPI documents themselves. What can go wrong, and the limits, are on
the page [errors](errors.md). An `Idempotency-Key` makes a request repeatable: the repeat gets the
first one's answer.

"""

Schema = Mapping[str, Any]


def document(dialect: str) -> Schema:
    file = ROOT / "bulksms" / "api" / dialect / "openapi.json"
    read: Schema = json.loads(file.read_text(encoding="utf-8"))
    return read


def addresses(dialect: str) -> list[tuple[str, str, Schema]]:
    """(method, address, operation) of all."""
    return [
        (method.upper(), path, operation)
        for path, operations in document(dialect)["paths"].items()
        for method, operation in operations.items()
    ]


def kind(schema: Schema, root: Schema) -> str:
    """What a value may be, in a few words."""
    schema = _resolved(schema, root)
    if several := schema.get("anyOf") or schema.get("oneOf"):
        kinds = [kind(each, root) for each in several]
        return " or ".join(dict.fromkeys(each for each in kinds if each != "null"))
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"] if value is not None)
    if "const" in schema:
        return f"`{schema['const']}`"
    types = schema.get("type", "any")
    named = [types] if isinstance(types, str) else [each for each in types if each != "null"]
    text = " or ".join(schema.get("format", each) for each in named)
    if "object" in named and (inner := schema.get("properties")):
        text += f" with {', '.join(map(code, inner))}"
    if named == ["array"]:
        text = f"array of {kind(schema.get('items', {}), root)}"
    return text + _limits(schema)


def _limits(schema: Schema) -> str:
    low = schema.get("minLength", schema.get("minItems", schema.get("minimum")))
    high = schema.get("maxLength", schema.get("maxItems", schema.get("maximum")))
    if high is None:
        return "" if not low else f", at least {low:,}"
    return f", at most {high:,}" if not low else f", {low:,} to {high:,}"


def _resolved(schema: Schema, root: Schema) -> Schema:
    while "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        schema = root["components"]["schemas"][name]
    return schema


def fields(schema: Schema, root: Schema) -> list[tuple[str, str, str]]:
    """(name, must it be there, what it is) of an object's fields; of several forms, all of them."""
    schema = _resolved(schema, root)
    forms: Sequence[Schema] = schema.get("anyOf") or schema.get("oneOf") or [schema]
    found: dict[str, tuple[str, str, str]] = {}
    required = [set(_form(each, root).get("required", ())) for each in forms]
    for form in forms:
        for name, value in _form(form, root).get("properties", {}).items():
            must = "yes" if all(name in names for names in required) else ""
            found.setdefault(name, (code(name), must, kind(value, root)))
    return list(found.values())


def _form(schema: Schema, root: Schema) -> Schema:
    """The object itself, or what an array has of them."""
    schema = _resolved(schema, root)
    return _resolved(schema["items"], root) if schema.get("type") == "array" else schema


def _parts(dialect: str) -> Iterator[str]:
    root = document(dialect)
    for method, path, operation in addresses(dialect):
        yield f"\n### {method} {path}\n\n{operation['summary']}.\n"
        given = [
            (code(each["name"]), each["in"], kind(each.get("schema", {}), root))
            for each in operation.get("parameters", ()) if each["in"] != "path"
        ]  # fmt: skip
        if given:
            yield "\n" + table(("parameter", "in", "what"), given)
        if body := operation.get("requestBody"):
            rows = fields(body["content"]["application/json"]["schema"], root)
            yield "\n" + (table(("field", "required", "what"), rows) if rows else "No fields.\n")
            yield from _either(body["content"]["application/json"]["schema"], root)
        statuses = operation["responses"]
        yield f"\nAnswers: {', '.join(statuses)}. "
        yield from _answer(statuses, root)


def _either(schema: Schema, root: Schema) -> Iterator[str]:
    """Which fields go together, where a body has several forms."""
    forms = _resolved(schema, root).get("anyOf") or _resolved(schema, root).get("oneOf") or ()
    needed = [" and ".join(map(code, _form(form, root).get("required", ()))) for form in forms]
    if len(set(needed)) > 1:
        yield f"\nEither {', or '.join(needed)}.\n"


def _answer(statuses: Mapping[str, Schema], root: Schema) -> Iterator[str]:
    content = next(iter(statuses.values())).get("content", {}).get("application/json")
    names = [name for name, _, _ in fields(content["schema"], root)] if content else []
    yield f"With {', '.join(names)}.\n" if names else "\n"


def page() -> str:
    parts = [INTRO]
    for dialect, what in DIALECTS:
        rows = [
            (code(f"{method} {path}"), operation["summary"])
            for method, path, operation in addresses(dialect)
        ]
        parts += [f"\n## {dialect}\n\n{what}\n\n", table(("address", "what it does"), rows)]
        parts += _parts(dialect)
    return "".join(parts)
