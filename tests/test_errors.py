"""Errors: whose fault, what holds afterwards, and a message that names the culprit."""

import errno

import pytest

from blockops import errors
from blockops.errors import (
    BlockError,
    CommandError,
    DeviceHasNoMedium,
    DeviceInUse,
    DeviceIOError,
    DeviceNotActive,
    DeviceNotFound,
    Effect,
    HostError,
    ImageError,
    InvalidBlockFormat,
    InvalidRequest,
    Leftover,
    OpenFileFailed,
    UndefinedError,
    UnsupportedFeature,
    because,
)

NO_SPACE = HostError("write", "/vm/s1", errno.ENOSPC, 65536)

EXAMPLES: dict[str, BlockError] = {
    "/vm/s1: write at offset 65536: No space left on device": NO_SPACE,
    "/vm/s1: open: No such file or directory": HostError("open", "/vm/s1", errno.ENOENT),
    "/vm/a: L1 table at offset 512: not aligned": ImageError("/vm/a", "L1 table", 512, "not aligned"),
    "/vm/a: header: too short": ImageError("/vm/a", "header", None, "too short"),
    "/vm/a: encryption is not supported": UnsupportedFeature("/vm/a", "encryption"),
    "device 'd0': it is read-only": InvalidRequest("device 'd0'", "it is read-only"),
    "Device 'd0' not found": DeviceNotFound("d0"),
    "Device 'd0' is in use by a job": DeviceInUse("d0", "a job"),
    "Device 'd0' has no active job": DeviceNotActive("d0"),
    "Device 'd0' has no medium": DeviceHasNoMedium("d0"),
    "Invalid block format 'vmdk'": InvalidBlockFormat("vmdk"),
    "Could not open '/vm/s1'": OpenFileFailed("/vm/s1"),
    "Could not open 's1' for device 'd0': /vm/s1: write at offset 65536: No space left on device": (
        OpenFileFailed("s1", "d0", NO_SPACE)
    ),
    "An I/O error has occurred on device 'd0'": DeviceIOError("d0"),
    "That is not allowed": UndefinedError("That is not allowed"),
    (
        "That is not allowed; could not remove '/vm/s0' of device 'd0': /vm/s0: unlink: Permission denied; "
        "could not remove '/vm/s1' of device 'd1': /vm/s1: unlink: Input/output error"
    ): UndefinedError(
        "That is not allowed",
        leftovers=(
            Leftover("/vm/s0", "d0", HostError("unlink", "/vm/s0", errno.EACCES)),
            Leftover("/vm/s1", "d1", HostError("unlink", "/vm/s1", errno.EIO)),
        ),
    ),
}


@pytest.mark.parametrize(("text", "error"), EXAMPLES.items(), ids=lambda value: type(value).__name__)
def test_an_error_says_in_one_sentence_what_it_is_about(text: str, error: BlockError) -> None:
    assert str(error) == text


def all_classes() -> list[type[BlockError]]:
    found = [value for value in vars(errors).values() if isinstance(value, type)]
    return [one for one in found if issubclass(one, BlockError) and one not in (BlockError, CommandError)]


def test_there_is_an_example_of_every_class() -> None:
    assert {type(error) for error in EXAMPLES.values()} == set(all_classes())


@pytest.mark.parametrize("error", EXAMPLES.values(), ids=lambda error: type(error).__name__)
def test_an_error_can_be_raised_and_caught_as_what_it_is(error: BlockError) -> None:
    with pytest.raises(type(error)) as caught:
        raise error
    assert caught.value is error
    assert error.effect is Effect.NONE, "where nothing else is said, nothing was done"


BLAMED = [(NO_SPACE, "host"), (ImageError("/a", "x", None, "y"), "image"), (DeviceNotFound("d"), "caller")]


@pytest.mark.parametrize(("error", "blame"), BLAMED, ids=lambda value: str(value)[:5])
def test_an_error_says_whose_fault_it_was(error: BlockError, blame: str) -> None:
    assert error.blame.value == blame


def test_the_root_of_a_chain_is_the_error_at_its_bottom() -> None:
    middle = OpenFileFailed("s1", "d0", NO_SPACE)
    assert DeviceIOError("d0", middle).root is NO_SPACE
    assert NO_SPACE.root is NO_SPACE


def test_a_cause_is_told_by_its_root_and_no_cause_by_nothing() -> None:
    assert because(None) == ""
    assert because(OpenFileFailed("s1", "d0", NO_SPACE)) == f": {NO_SPACE}"


def test_the_effect_is_the_one_errors_own() -> None:
    unknown = HostError("flush", "/vm/a", errno.EIO, effect=Effect.UNKNOWN)
    later = DeviceNotFound("d0")
    later.effect = Effect.APPLIED
    assert (unknown.effect, later.effect, DeviceNotFound("d0").effect) == (
        Effect.UNKNOWN,
        Effect.APPLIED,
        Effect.NONE,
    )
