"""From a JSON object to a command's typed arguments, with QAPI's sentences for what does not fit.

An arguments class is an attrs class: its fields are the parameters (`snapshot_file` is spelt
"snapshot-file"), a default makes one optional.  Types are str, int, bool, an enumeration of words,
`X | None`, a tuple of one type, other such classes, and `OneOf` several.  cattrs is not used here: it
converts (a number where a string is due), and a server must refuse.
"""

import enum
import functools
import types
from collections.abc import Mapping
from typing import Any, ClassVar, get_args, get_origin

import attrs

from blockops.qmp.errors import (
    InvalidParameterType,
    InvalidParameterValue,
    MissingParameter,
    NotAnObject,
    UnexpectedParameter,
)


class OneOf:
    """Base of an arguments class with the fields *type*, a word, and *data*, of the class that it stands for.

    QAPI calls it a union.
    """

    variants: ClassVar[Mapping[str, type]]


@functools.cache
def parameters(arguments: type) -> Mapping[str, "attrs.Attribute[Any]"]:
    """Return the fields of an arguments class by their name on the wire."""
    return {field.name.replace("_", "-"): field for field in attrs.fields(arguments)}


def parse(arguments: type, given: object, renamed: Mapping[str, str]) -> Any:
    """Return an instance of *arguments* made of the JSON value *given*, or raise a `BadMessage`.

    *renamed* maps other accepted spellings of top-level names to the page's.
    """
    if not isinstance(given, dict):
        raise NotAnObject("QMP input member 'arguments'")
    return _parse_object(arguments, _with_page_names(given, renamed), "")


def _with_page_names(given: Mapping[str, object], renamed: Mapping[str, str]) -> dict[str, object]:
    spelt: dict[str, object] = {}
    for name, value in given.items():
        page_name = renamed.get(name, name)
        if page_name in spelt or (page_name != name and page_name in given):
            raise UnexpectedParameter(name)
        spelt[page_name] = value
    return spelt


def _parse_object(arguments: type, given: Mapping[str, object], prefix: str) -> Any:
    fields = parameters(arguments)
    for name in given:
        if name not in fields:
            raise UnexpectedParameter(prefix + str(name))
    values: dict[str, object] = {}
    variant = _variant(arguments, given, prefix)
    for name, field in fields.items():
        if name in given:
            wanted = variant if variant is not None and name == "data" else field.type
            values[field.name] = _parse_value(wanted, given[name], prefix + name)
        elif field.default is attrs.NOTHING:
            raise MissingParameter(prefix + name)
    return arguments(**values)


def _variant(arguments: type, given: Mapping[str, object], prefix: str) -> type | None:
    """Return what the "data" of a `OneOf` is to be, where its type says so; None for other classes."""
    if not issubclass(arguments, OneOf) or "type" not in given:
        return None
    word = _parse_word(str, given["type"], f"{prefix}type")
    if word not in arguments.variants:
        raise InvalidParameterValue(f"{prefix}type", str(word))
    return arguments.variants[str(word)]


def _parse_value(wanted: Any, value: object, name: str) -> object:
    if isinstance(wanted, types.UnionType):
        # An optional parameter that is given has a value: QAPI has no null here.
        wanted = next(one for one in get_args(wanted) if one is not types.NoneType)
    if get_origin(wanted) is tuple:
        return _parse_list(get_args(wanted)[0], value, name)
    if attrs.has(wanted):
        if not isinstance(value, dict):
            raise InvalidParameterType(name, "object")
        return _parse_object(wanted, value, f"{name}.")
    if wanted is int:
        return _parse_integer(value, name)
    if wanted is bool:
        return _parse_boolean(value, name)
    return _parse_word(wanted, value, name)


def _parse_integer(value: object, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidParameterType(name, "integer")
    return value


def _parse_boolean(value: object, name: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidParameterType(name, "boolean")
    return value


def _parse_list(item: Any, value: object, name: str) -> tuple[object, ...]:
    if not isinstance(value, list):
        raise InvalidParameterType(name, "array")
    return tuple(_parse_value(item, one, f"{name}[{index}]") for index, one in enumerate(value))


def _parse_word(wanted: Any, value: object, name: str) -> object:
    if not isinstance(value, str):
        raise InvalidParameterType(name, "string")
    if issubclass(wanted, enum.Enum):
        try:
            return wanted(value)
        except ValueError:
            raise InvalidParameterValue(name, value) from None
    assert wanted is str, f"a parameter of type {wanted} has no JSON form"
    return value
