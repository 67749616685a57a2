"""Errors on the wire (semantics.md, "Errors on the wire")."""

import pytest

from blockops.errors import (
    BlockError,
    DeviceHasNoMedium,
    DeviceInUse,
    DeviceIOError,
    DeviceNotActive,
    DeviceNotFound,
    HostError,
    InvalidBlockFormat,
    InvalidRequest,
    Leftover,
    OpenFileFailed,
    UndefinedError,
)
from blockops.qmp.errors import CommandNotFound, InvalidParameterType, MissingParameter, NotAnObject
from blockops.qmp.reply import Style, error_reply

FULL = HostError("write", "/vm/s1", 28, 512)
STUCK = HostError("unlink", "/vm/s0", 13)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (DeviceNotFound("x"), ("DeviceNotFound", "Device 'x' not found", {"device": "x"})),
        (DeviceNotActive("x"), ("DeviceNotActive", "Device 'x' has not been activated", {"device": "x"})),
        (DeviceInUse("x", "a job"), ("DeviceInUse", "Device 'x' is in use", {"device": "x"})),
        (DeviceHasNoMedium("x"), ("DeviceHasNoMedium", "Device 'x' has no medium", {"device": "x"})),
        (
            InvalidBlockFormat("vmdk", "x"),
            ("InvalidBlockFormat", "Invalid block format 'vmdk'", {"name": "vmdk"}),
        ),
        (
            OpenFileFailed("/vm/s1", "d1", FULL),
            ("OpenFileFailed", "Could not open '/vm/s1'", {"filename": "/vm/s1"}),
        ),
        (DeviceIOError("d1", FULL), ("IOError", "An IO error has occurred", {})),
        (UndefinedError("no nesting"), ("UndefinedError", "An undefined error has occurred", {})),
        (InvalidRequest("/vm/s", "no"), ("UndefinedError", "An undefined error has occurred", {})),
        (
            MissingParameter("device"),
            ("MissingParameter", "Parameter 'device' is missing", {"name": "device"}),
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BlockError) else "",
)
def test_2012_has_a_class_a_template_and_data_and_no_more(
    error: BlockError, expected: tuple[str, str, dict[str, str]]
) -> None:
    name, text, data = expected
    assert error_reply(error, Style.OF_2012) == {"class": name, "desc": text, "data": data}


def test_2012_could_not_tell_a_full_disk_from_a_missing_right() -> None:
    full, denied = (OpenFileFailed("/s", "d0", HostError("create", "/s", code)) for code in (28, 13))
    assert error_reply(full, Style.OF_2012) == error_reply(denied, Style.OF_2012)
    assert error_reply(full, Style.TODAY) != error_reply(denied, Style.TODAY)


@pytest.mark.parametrize(
    ("error", "name", "desc"),
    [
        (DeviceNotFound("x"), "DeviceNotFound", "Device 'x' not found"),
        (DeviceNotActive("x"), "DeviceNotActive", "Device 'x' has no active job"),
        (CommandNotFound("eject"), "CommandNotFound", "The command eject has not been found"),
        (
            OpenFileFailed("/vm/s1", "d1", FULL),
            "GenericError",
            "Could not open '/vm/s1' for device 'd1': /vm/s1: write at offset 512: No space left on device",
        ),
        (
            OpenFileFailed("/vm/s1", "d1", FULL, leftovers=(Leftover("/vm/s0", "d0", STUCK),)),
            "GenericError",
            (
                "Could not open '/vm/s1' for device 'd1': /vm/s1: write at offset 512: "
                "No space left on device; could not remove '/vm/s0' of device 'd0': /vm/s0: unlink: "
                "Permission denied"
            ),
        ),
        (
            InvalidParameterType("a", "string"),
            "GenericError",
            "Invalid parameter type for 'a', expected: string",
        ),
        (NotAnObject("QMP input"), "GenericError", "QMP input must be a JSON object"),
    ],
)
def test_today_the_text_names_device_file_and_cause(error: BlockError, name: str, desc: str) -> None:
    assert error_reply(error, Style.TODAY) == {"class": name, "desc": desc}
