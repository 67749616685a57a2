"""What the lab breaks, and the printable name of each way to break it.

A fault is one of

    no-fault            nothing is broken
    eio@17              host operation 17 fails, once
    eio+@17             … and from then on every operation that the same trouble would hit
    kill@17             the hypervisor is killed when it is about to do host operation 17
    kill@step-23        … before step 23 of the scheduler
    manager-dies@4      management dies before its step 4
    occupied@d1         a file already lies where device d1's new image is to go
    guest-runs@5        nothing is broken: the guest runs ahead after step 5 of the operation
    guest-lags@5        nothing is broken: from that step on the guest stands still for a while

Operations and steps are counted from the moment at which management begins.  Left out, and so not
claimed: power loss, lost and late replies, unplugged devices, two faults at once.
"""

import enum
import errno
import re
from collections.abc import Callable
from typing import TypeAlias, assert_never

import attrs

from blockops.units import SECTOR


class Kind(enum.Enum):
    """How a host operation fails."""

    EIO = "eio"
    ENOSPC = "enospc"
    EDQUOT = "edquot"
    EROFS = "erofs"
    EACCES = "eacces"
    ENOENT = "enoent"
    EMFILE = "emfile"
    SHORT = "short"
    TORN = "torn"


ERRNO: dict[Kind, int] = {
    Kind.EIO: errno.EIO,
    Kind.ENOSPC: errno.ENOSPC,
    Kind.EDQUOT: errno.EDQUOT,
    Kind.EROFS: errno.EROFS,
    Kind.EACCES: errno.EACCES,
    Kind.ENOENT: errno.ENOENT,
    Kind.EMFILE: errno.EMFILE,
    Kind.TORN: errno.EIO,
}

MERE_ERRNO = frozenset(ERRNO) - {Kind.TORN}
"""Kinds that differ in nothing but the errno: the operation has no effect."""

KINDS_OF: dict[str, tuple[Kind, ...]] = {
    "create": (Kind.EIO, Kind.ENOSPC, Kind.EDQUOT, Kind.EROFS, Kind.EACCES, Kind.ENOENT, Kind.EMFILE),
    "open": (Kind.EIO, Kind.EACCES, Kind.ENOENT, Kind.EMFILE),
    "read": (Kind.EIO, Kind.SHORT),
    "write": (Kind.EIO, Kind.ENOSPC, Kind.EDQUOT, Kind.SHORT, Kind.TORN),
    "truncate": (Kind.EIO, Kind.ENOSPC, Kind.EDQUOT),
    "flush": (Kind.EIO, Kind.ENOSPC, Kind.EDQUOT),
    "rename": (Kind.EIO, Kind.ENOSPC, Kind.EDQUOT, Kind.EACCES, Kind.EROFS),
    "unlink": (Kind.EIO, Kind.EACCES, Kind.EROFS),
    "sync": (Kind.EIO, Kind.ENOSPC, Kind.EDQUOT),
}
"""Which failures apply to which host operation."""

MUTATING = frozenset({"create", "write", "truncate", "rename", "unlink"})
"""The operations that change what a killed process leaves behind."""

_WHOLE_HOST: dict[Kind, frozenset[str]] = {
    Kind.ENOSPC: frozenset({"create", "write", "truncate", "flush", "rename", "sync"}),
    Kind.EDQUOT: frozenset({"create", "write", "truncate", "flush", "rename", "sync"}),
    Kind.EROFS: frozenset({"create", "rename", "unlink"}),
    Kind.EMFILE: frozenset({"create", "open"}),
}


ONE_FILE = "one file"
_FULL = "full"


def scope_of(kind: Kind) -> str:
    """Return the name of what a lasting *kind* goes on to hit: equal names, equal hits."""
    return _FULL if kind in (Kind.ENOSPC, Kind.EDQUOT) else kind.value if kind in _WHOLE_HOST else ONE_FILE


def scopes(first: "HostOperation", later: "HostOperation") -> frozenset[str]:
    """Return the scopes in which trouble that hit *first* also hits *later*.

    A full, read-only or exhausted host is so for every file; other trouble stays with one file and one
    kind of operation.
    """
    found = _SCOPES_OF[later.operation]
    return found | {ONE_FILE} if (later.operation, later.path) == (first.operation, first.path) else found


_SCOPES_OF: dict[str, frozenset[str]] = {
    operation: frozenset(scope_of(kind) for kind, hit in _WHOLE_HOST.items() if operation in hit)
    for operation in KINDS_OF
}


@attrs.frozen
class HostOperation:
    """One call through the host seam: its number, who made it, and on what.  Offsets in bytes."""

    number: int
    actor: str
    operation: str
    path: str
    offset: int = 0
    length: int = 0


def kinds_that_apply(operation: HostOperation) -> tuple[Kind, ...]:
    """Return the failures that this operation can meet: what fits into one sector cannot tear."""
    kinds = KINDS_OF[operation.operation]
    if operation.operation == "write" and operation.length < 2 * SECTOR:
        return tuple(kind for kind in kinds if kind is not Kind.TORN)
    return kinds


@attrs.frozen
class NoFault:
    """Nothing is broken."""

    def __str__(self) -> str:
        return "no-fault"


@attrs.frozen
class HostFault:
    """Host operation *number* fails as *kind*; *lasting*: so do later ones that share the trouble."""

    kind: Kind
    number: int
    lasting: bool = False

    def __str__(self) -> str:
        return f"{self.kind.value}{'+' if self.lasting else ''}@{self.number}"


@attrs.frozen
class KilledAtOperation:
    """The hypervisor dies when it is about to do host operation *number*."""

    number: int

    def __str__(self) -> str:
        return f"kill@{self.number}"


@attrs.frozen
class KilledAtStep:
    """The hypervisor dies before step *step* of the scheduler."""

    step: int

    def __str__(self) -> str:
        return f"kill@step-{self.step}"


@attrs.frozen
class ManagerDies:
    """Management dies before its step *step*; its connection drops."""

    step: int

    def __str__(self) -> str:
        return f"manager-dies@{self.step}"


@attrs.frozen
class Occupied:
    """A file that belongs to somebody else already has the name of the device's new image."""

    device: str

    def __str__(self) -> str:
        return f"occupied@{self.device}"


@attrs.frozen
class GuestRuns:
    """Nothing is broken; after step *step* of the operation the guest takes `RUN` steps more than usual."""

    step: int

    def __str__(self) -> str:
        return f"guest-runs@{self.step}"


@attrs.frozen
class GuestLags:
    """Nothing is broken; after step *step* of the operation the guest rests for `LAG` of its steps.

    What is in flight stays so; where the operation waits for it, the guest goes on.
    """

    step: int

    def __str__(self) -> str:
        return f"guest-lags@{self.step}"


RUN = 16
"""How far the guest runs ahead: enough for a write and one on another device that depends on it."""

LAG = 16
"""How long the guest rests: enough for a command of a few devices to go from its drain to its end."""

Fault: TypeAlias = (
    NoFault | HostFault | KilledAtOperation | KilledAtStep | ManagerDies | Occupied | GuestRuns | GuestLags
)

GROUPS: dict[str, str] = {
    **{kind.value: f"one host operation fails ({kind.value}), once or lastingly" for kind in Kind},
    "kill": "the hypervisor is killed before a step or a host operation",
    "manager-dies": "management dies before one of its steps",
    "occupied": "a file already lies where a new image is to go",
    "guest-runs": "nothing is broken, the guest runs ahead between two steps of the operation",
    "guest-lags": "nothing is broken, the guest rests while the operation goes on",
    "no-fault": "nothing is broken",
}
"""What `--fault` may choose from."""


def group_of(fault: Fault) -> str:
    """Return the key of `GROUPS` that *fault* belongs to."""
    match fault:
        case NoFault():
            return "no-fault"
        case HostFault(kind):
            return kind.value
        case KilledAtOperation() | KilledAtStep():
            return "kill"
        case ManagerDies():
            return "manager-dies"
        case Occupied():
            return "occupied"
        case GuestRuns():
            return "guest-runs"
        case GuestLags():
            return "guest-lags"
        case _:
            assert_never(fault)


_PATTERN = re.compile(r"(?P<name>[a-z-]+)(?P<lasting>\+)?@(?P<where>.+)")


def parse_fault(text: str) -> Fault:
    """Return the fault that prints as *text*; ValueError where none does."""
    if text == "no-fault":
        return NoFault()
    match = _PATTERN.fullmatch(text)
    fault = None if match is None else _parsed(match["name"], match["lasting"] is not None, match["where"])
    if fault is None or str(fault) != text:
        raise ValueError(f"'{text}' is not a fault (such as eio@17, enospc+@3, kill@step-8, manager-dies@2)")
    return fault


_NUMBERED: dict[str, Callable[[int], Fault]] = {
    "kill": KilledAtOperation,
    "manager-dies": ManagerDies,
    "guest-runs": GuestRuns,
    "guest-lags": GuestLags,
}


def _parsed(name: str, lasting: bool, where: str) -> Fault | None:
    if name == "occupied":
        return Occupied(where)
    if name == "kill" and where.startswith("step-"):
        number = _number(where.removeprefix("step-"))
        return None if number is None else KilledAtStep(number)
    number = _number(where)
    if number is None:
        return None
    numbered = _NUMBERED.get(name)
    if numbered is not None:
        return numbered(number)
    kind = next((kind for kind in Kind if kind.value == name), None)
    return None if kind is None else HostFault(kind, number, lasting)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
