"""OpenAPI 3.1: drf-spectacular walks our addresses, each dialect's ``schema`` says what they do.

Development only: ``make openapi`` writes the documents, which are served as they stand. The words
for schemas here are JSON Schema 2020-12, as OpenAPI 3.1 has it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.urls import URLPattern
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema

from bulksms.api.base import BaseView

#: It has no types.
_Generator: Any = SchemaGenerator

Json = dict[str, Any]

TEXT: Json = {"type": "string"}
COUNT: Json = {"type": "integer", "minimum": 0}
FLAG: Json = {"type": "boolean"}
ID: Json = {"type": "string", "format": "uuid"}
TIME: Json = {"type": "string", "format": "date-time"}
MONEY: Json = {"type": "string", "pattern": r"^-?[0-9]+\.[0-9]{2,6}$", "examples": ["1.00"]}
CURRENCY: Json = {"type": "string", "pattern": "^[A-Z]{3}$", "examples": ["KES"]}


def or_null(schema: Json) -> Json:
    """The same, or null."""
    if "type" in schema and "enum" not in schema:
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def array(of: Json, **more: Any) -> Json:
    return {"type": "array", "items": of, **more}


def record(properties: Mapping[str, Json], *, optional: Sequence[str] = ()) -> Json:
    """An answer's object: these members and no others, all of them there unless ``optional``."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def form(properties: Mapping[str, Json], *, required: Sequence[str] = ()) -> Json:
    """A body's object: these members and no others, only the ``required`` ones have to be there."""
    found: Json = {
        "type": "object", "properties": dict(properties), "additionalProperties": False,
    }  # fmt: skip
    return found | ({"required": list(required)} if required else {})


def ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def content(schema: Json, example: object = None) -> Json:
    body: Json = {"schema": schema}
    return {"application/json": body if example is None else body | {"example": example}}


def document(
    patterns: Sequence[URLPattern], operations: Mapping[tuple[str, str], Json], base: Json
) -> Json:
    """The OpenAPI document of ``patterns``; ``operations`` by (name of the address, method).

    Raises KeyError for an address without one. ``base`` has info, components and so on.
    """
    named = [each for each in patterns if each.name]
    names = {_path(each): each.name for each in named}

    class FromTable(AutoSchema):
        def get_operation(
            self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any
        ) -> Json:
            return dict(operations[str(names[path]), method.upper()])

    before = BaseView.schema
    BaseView.schema = FromTable()
    try:
        generator: Any = _Generator(patterns=named)
        generator._initialise_endpoints()
        paths = generator.parse(None, True)
    finally:
        BaseView.schema = before
    return {"openapi": "3.1.0", **base, "paths": {path: paths[path] for path in names}}


def _path(pattern: URLPattern) -> str:
    return "/" + re.sub(r"<\w+:(\w+)>", r"{\1}", str(pattern.pattern))
