"""The locks by which QEMU's processes keep out of each other's way, on bytes that no image has to have.

For each permission there is a byte that whoever uses it holds, and one that whoever forbids it to others
holds.  All hold them shared; whether somebody is in the way is asked with a test for an exclusive lock,
which is never taken (QEMU: block/file-posix.c, "raw_check_lock_bytes").  The locks belong to the open file
description.
"""

import errno
import fcntl
import struct
from typing import Final

# Permissions: to rely on what is read, to write, to change the size.
_READ: Final = 0
_WRITE: Final = 1
_RESIZE: Final = 3
_USED: Final = 100
_FORBIDDEN: Final = 200
_CHANGES: Final = (_WRITE, _RESIZE)

# struct flock: type, whence, start, length, process.
_FLOCK: Final = struct.Struct("hhqqi4x")


def hold_as_qemu(descriptor: int, *, writable: bool) -> None:
    """Say to QEMU's processes what an open file is used for; OSError (EAGAIN) where one is in the way.

    Nobody else may write it, or make it longer, while it is open here.
    """
    used = (_READ, *_CHANGES) if writable else (_READ,)
    for permission in used:
        _hold(descriptor, _USED + permission)
    for permission in _CHANGES:
        _hold(descriptor, _FORBIDDEN + permission)
    # Held first and asked then: of two who begin at once, at least one sees the other.
    for byte in (*(_FORBIDDEN + one for one in used), *(_USED + one for one in _CHANGES)):
        if _held_by_others(descriptor, byte):
            raise OSError(errno.EAGAIN, "")


def _hold(descriptor: int, byte: int) -> None:
    fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_RDLCK, 0, byte, 1, 0))


def _held_by_others(descriptor: int, byte: int) -> bool:
    answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _FLOCK.pack(fcntl.F_WRLCK, 0, byte, 1, 0))
    return int(_FLOCK.unpack(answer)[0]) != fcntl.F_UNLCK
