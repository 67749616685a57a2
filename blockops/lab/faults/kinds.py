"""How a host operation fails: the kinds, where each applies, and how far its trouble reaches."""

import enum
import errno

from blockops.lab.faults.fault import HostOperation
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
    DROPPED = "dropped"


ERRNO: dict[Kind, int] = {
    Kind.EIO: errno.EIO,
    Kind.ENOSPC: errno.ENOSPC,
    Kind.EDQUOT: errno.EDQUOT,
    Kind.EROFS: errno.EROFS,
    Kind.EACCES: errno.EACCES,
    Kind.ENOENT: errno.ENOENT,
    Kind.EMFILE: errno.EMFILE,
    Kind.TORN: errno.EIO,
    Kind.DROPPED: errno.EIO,
}

SAYS: dict[Kind, str] = {
    Kind.SHORT: "a host read or write does only half of its length and says so",
    Kind.TORN: "a host write ends with EIO when the first half of its sectors is written",
    Kind.DROPPED: "a flush fails and loses what it should have made durable; repeated, it succeeds",
}
"""What the kinds are whose names are not an errno (`lab.hosts`)."""

AFTER_EFFECT = "after it (everything was done, and an error is returned all the same)"
"""What it is to fail after the effect."""

MERE_ERRNO = frozenset(ERRNO) - {Kind.TORN, Kind.DROPPED}
"""Kinds that differ in nothing but the errno: the operation has no effect."""

KINDS_OF: dict[str, tuple[Kind, ...]] = {
    "create": (Kind.EIO, Kind.ENOSPC, Kind.EDQUOT, Kind.EROFS, Kind.EACCES, Kind.ENOENT, Kind.EMFILE),
    "open": (Kind.EIO, Kind.EACCES, Kind.ENOENT, Kind.EMFILE),
    "read": (Kind.EIO, Kind.SHORT),
    "write": (Kind.EIO, Kind.ENOSPC, Kind.EDQUOT, Kind.SHORT, Kind.TORN),
    "truncate": (Kind.EIO, Kind.ENOSPC, Kind.EDQUOT),
    "flush": (Kind.EIO, Kind.ENOSPC, Kind.EDQUOT, Kind.DROPPED),
    "rename": (Kind.EIO, Kind.ENOSPC, Kind.EDQUOT, Kind.EACCES, Kind.EROFS),
    "unlink": (Kind.EIO, Kind.EACCES, Kind.EROFS),
    "sync": (Kind.EIO, Kind.ENOSPC, Kind.EDQUOT),
}
"""Which failures apply to which host operation."""

APPLIED_TO = frozenset({"create", "write", "truncate", "flush", "rename", "unlink", "sync"})
"""The operations that can have their effect and return an error all the same."""

LOSES_NOTHING = frozenset({"flush", "sync"})
"""Those of which, while the host lives, nobody can see whether they had their effect."""

MUTATING = frozenset({"create", "write", "truncate", "rename", "unlink"})
"""The operations that change what a killed process leaves behind."""

WHOLE_HOST: dict[Kind, frozenset[str]] = {
    Kind.ENOSPC: frozenset({"create", "write", "truncate", "flush", "rename", "sync"}),
    Kind.EDQUOT: frozenset({"create", "write", "truncate", "flush", "rename", "sync"}),
    Kind.EROFS: frozenset({"create", "rename", "unlink"}),
    Kind.EMFILE: frozenset({"create", "open"}),
}


ONE_FILE = "one file"
_FULL = "full"


def scope_of(kind: Kind) -> str:
    """Return the name of what a lasting *kind* goes on to hit: equal names, equal hits."""
    return _FULL if kind in (Kind.ENOSPC, Kind.EDQUOT) else kind.value if kind in WHOLE_HOST else ONE_FILE


def scopes(first: HostOperation, later: HostOperation) -> frozenset[str]:
    """Return the scopes in which trouble that hit *first* also hits *later*.

    A full, read-only or exhausted host is so for every file; other trouble stays with one file and one
    kind of operation.
    """
    found = _SCOPES_OF[later.operation]
    return found | {ONE_FILE} if (later.operation, later.path) == (first.operation, first.path) else found


_SCOPES_OF: dict[str, frozenset[str]] = {
    operation: frozenset(scope_of(kind) for kind, hit in WHOLE_HOST.items() if operation in hit)
    for operation in KINDS_OF
}


def kinds_that_apply(operation: HostOperation) -> tuple[Kind, ...]:
    """Return the failures that this operation can meet: what fits into one sector cannot tear."""
    kinds = KINDS_OF[operation.operation]
    if operation.operation == "write" and operation.length < 2 * SECTOR:
        return tuple(kind for kind in kinds if kind is not Kind.TORN)
    return kinds
