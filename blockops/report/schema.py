"""The JSON Schema of report.json, derived from the classes of `blockops.lab.results`.

Derived and not written, so that it cannot drift; a test compares it with docs/report.schema.json, which
`python -m blockops.report.schema > docs/report.schema.json` writes anew.
"""

import enum
import json
import sys
import types
import typing
from typing import Any

import attrs

from blockops.lab.results import SCHEMA, Cell, Law, Results

Schema = dict[str, Any]

PLAIN: dict[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    Any: {},
}


def schema() -> Schema:
    """Return the JSON Schema (draft 2020-12) of report.json."""
    results = _object(Results)
    properties = {"schema": {"const": SCHEMA}, "laws": {"type": "array", "items": _object(Law)}}
    properties |= {name: value for name, value in results["properties"].items() if name != "schema"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"blockops report.json, version {SCHEMA}",
        **results,
        "properties": properties,
        "required": list(properties),
    }


def _object(cls: type[attrs.AttrsInstance]) -> Schema:
    hints = typing.get_type_hints(cls)
    properties = {field.name: _of(hints[field.name]) for field in attrs.fields(cls)}
    if cls is Cell:
        properties["inexpressible"] = {"type": "boolean"}
        properties["reason"] = {"type": ["string", "null"]}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _of(hint: Any) -> Schema:
    """The schema of one type that the results are made of."""
    if hint in PLAIN:
        return PLAIN[hint]
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return {"enum": [member.value for member in hint]}
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return {"type": "array", "items": _of(arguments[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": _of(arguments[1])}
    if origin is types.UnionType:
        return {"anyOf": [_of(argument) for argument in arguments]}
    return _object(hint)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(schema(), indent=2) + "\n")
