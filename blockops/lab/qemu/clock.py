"""What the lab's clock and the library inside QEMU share: the fault that is armed, and what QEMU has done.

Both sides map one file.  It is written before QEMU gets a turn and read after it, never meanwhile.
"""

import enum
import mmap
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import attrs

from blockops.lab.faults.fault import HostOperation
from blockops.lab.faults.host import HostFault, Trouble
from blockops.lab.faults.kinds import ERRNO, WHOLE_HOST, Kind
from blockops.lab.faults.process import KilledAtOperation
from blockops.lab.hosts import Clock

OPERATIONS: Final = ("create", "open", "read", "write", "truncate", "flush", "rename", "unlink")
"""In the order of preload.c's `kind`."""


class How(enum.IntEnum):
    """How the operation fails, in the order of preload.c's `how`."""

    ERRNO = 0
    SHORT = 1
    TORN = 2
    KILL = 3


_HOW = {Kind.SHORT: How.SHORT, Kind.TORN: How.TORN}
_PATH = 160
_HEAD = struct.Struct(f"=11I{_PATH}sI")
_ENTRY = struct.Struct(f"=IIQQ{_PATH}s")
_ENTRIES = 8192


class TooMuch(Exception):
    """QEMU did more in one turn than can be told."""


@attrs.frozen
class Done:
    """A host operation of QEMU's: *offset* and *length* in bytes; *struck*: it was made to fail."""

    operation: str
    path: str
    offset: int
    length: int
    struck: bool


@attrs.frozen
class Armed:
    """What is to fail, in the order and with the meanings of preload.c's `clock`."""

    number: int = 0
    how: How = How.ERRNO
    code: int = 0
    applied: bool = False
    lasting: bool = False
    wide: int = 0
    fits: int = 0
    begun: bool = False
    first_kind: int = 0
    first_path: bytes = b""


@attrs.frozen(eq=False)
class SharedClock:
    """The shared file *path*."""

    path: Path
    _map: mmap.mmap

    @classmethod
    def create(cls, path: Path) -> "SharedClock":
        """Make the file, with nothing armed."""
        size = _HEAD.size + _ENTRIES * _ENTRY.size
        with path.open("w+b") as file:
            file.truncate(size)
            return cls(path, mmap.mmap(file.fileno(), size))

    def close(self) -> None:
        """Map it no more."""
        self._map.close()

    def hand_over(self, clock: Clock) -> None:
        """Let QEMU count on from *clock*, and fail what its fault says."""
        counting = clock.running and not clock.dead
        armed = _armed(clock) if counting else Armed()
        _HEAD.pack_into(self._map, 0, counting, clock.number, *attrs.astuple(armed), 0)

    def done(self) -> list[Done]:
        """Return what QEMU has done in its turn."""
        *_, logged = _HEAD.unpack_from(self._map, 0)
        if logged > _ENTRIES:
            raise TooMuch(f"QEMU has done {logged} host operations in one turn")
        return list(self._entries(logged))

    def take_back(self, clock: Clock, done: Sequence[Done]) -> None:
        """Let *clock* count what QEMU has *done*.

        Raises `blockops.lab.hosts.ProcessKilled` where QEMU was killed by it.
        """
        counting, number, *_ = _HEAD.unpack_from(self._map, 0)
        for one in done if counting else ():
            struck = clock.tick(one.operation, one.path, one.offset, one.length) is not None
            if struck:  # nobody knows what QEMU asks
                clock.asked.errnos.update(ERRNO.values())
                clock.asked.effect = True
            assert struck == one.struck, f"{one}: struck in QEMU or for the lab, not for both"
        assert not counting or number == clock.number

    def _entries(self, count: int) -> Iterator[Done]:
        for number in range(count):
            kind, struck, offset, length, path = _ENTRY.unpack_from(
                self._map, _HEAD.size + number * _ENTRY.size
            )
            yield Done(OPERATIONS[kind], path.rstrip(b"\0").decode(), offset, length, bool(struck))


def _armed(clock: Clock) -> Armed:
    fault = clock.fault
    if isinstance(fault, KilledAtOperation):
        return Armed(fault.number, How.KILL)
    if not clock.armed or not clock.troubles:
        return Armed()
    (trouble,) = clock.troubles
    return _failing(trouble.fault, trouble)


def _failing(fault: HostFault, trouble: Trouble) -> Armed:
    first = trouble.first
    known = first is not None and first.operation in OPERATIONS
    return Armed(
        fault.number,
        _HOW.get(fault.kind, How.ERRNO),
        ERRNO.get(fault.kind, 0),
        fault.applied,
        trouble.goes_on,
        _bits(WHOLE_HOST.get(fault.kind, frozenset())),
        _bits(frozenset(name for name in OPERATIONS if fault.fits(HostOperation(0, "", name, "")))),
        first is not None,
        OPERATIONS.index(first.operation) if first is not None and known else 0,
        first.path.encode() if first is not None and known else b"",
    )


def _bits(operations: frozenset[str]) -> int:
    return sum(1 << number for number, name in enumerate(OPERATIONS) if name in operations)
