"""From an error to what crosses the wire, in today's form and in 2012's.

2012: a class for each kind of error, its fields as "data", and a text that is no more than a template
filled with them.  Since QEMU 1.2 there is no data and nearly every class is GenericError; what the
reader needs is in the text: device, file, and the host's reason.
"""

import enum
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from blockops.errors import (
    BlockError,
    DeviceHasNoMedium,
    DeviceInUse,
    DeviceIOError,
    DeviceNotActive,
    DeviceNotFound,
    InvalidBlockFormat,
    OpenFileFailed,
)
from blockops.qmp.errors import (
    BadMember,
    CommandNotFound,
    InvalidParameterType,
    InvalidParameterValue,
    MissingParameter,
    NotAnObject,
    UnexpectedParameter,
)

Json: TypeAlias = dict[str, object]


class Style(enum.Enum):
    """Which generation of QMP the error replies are written for."""

    TODAY = "today"
    OF_2012 = "2012"


def error_reply(error: BlockError, style: Style) -> Json:
    """Return the reply's "error" member for *error*."""
    return _of_2012(error) if style is Style.OF_2012 else _of_today(error)


def _of_today(error: BlockError) -> Json:
    name = type(error).__name__
    kept = isinstance(error, CommandNotFound | DeviceNotActive | DeviceNotFound)
    return {"class": name if kept else "GenericError", "desc": str(error)}


# Class, text and data of 2012: the text may name nothing but the data.
Template: TypeAlias = tuple[str, str, Callable[[Any], dict[str, object]]]

TEMPLATES: Mapping[type[BlockError], Template] = {
    DeviceNotFound: ("DeviceNotFound", "Device '{device}' not found", lambda e: {"device": e.device}),
    DeviceInUse: ("DeviceInUse", "Device '{device}' is in use", lambda e: {"device": e.device}),
    DeviceHasNoMedium: (
        "DeviceHasNoMedium",
        "Device '{device}' has no medium",
        lambda e: {"device": e.device},
    ),
    DeviceNotActive: (
        "DeviceNotActive",
        "Device '{device}' has not been activated",
        lambda e: {"device": e.device},
    ),
    InvalidBlockFormat: ("InvalidBlockFormat", "Invalid block format '{name}'", lambda e: {"name": e.name}),
    OpenFileFailed: ("OpenFileFailed", "Could not open '{filename}'", lambda e: {"filename": e.filename}),
    DeviceIOError: ("IOError", "An IO error has occurred", lambda e: {}),
    CommandNotFound: (
        "CommandNotFound",
        "The command {name} has not been found",
        lambda e: {"name": e.name},
    ),
    MissingParameter: ("MissingParameter", "Parameter '{name}' is missing", lambda e: {"name": e.name}),
    InvalidParameterType: (
        "InvalidParameterType",
        "Invalid parameter type, expected: {expected}",
        lambda e: {"name": e.name, "expected": e.expected},
    ),
    UnexpectedParameter: ("InvalidParameter", "Invalid parameter '{name}'", lambda e: {"name": e.name}),
    InvalidParameterValue: ("InvalidParameter", "Invalid parameter '{name}'", lambda e: {"name": e.name}),
    NotAnObject: (
        "QMPBadInputObject",
        "Expected '{expected}' in QMP input",
        lambda e: {"expected": "object"},
    ),
    BadMember: (
        "QMPBadInputObjectMember",
        "QMP input object member '{member}' {problem}",
        lambda e: {"member": e.member, "problem": e.problem},
    ),
}
UNDEFINED: Template = ("UndefinedError", "An undefined error has occurred", lambda e: {})


def _of_2012(error: BlockError) -> Json:
    name, text, data_of = TEMPLATES.get(type(error), UNDEFINED)
    data = data_of(error)
    return {"class": name, "desc": text.format(**data), "data": data}
