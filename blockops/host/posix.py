"""The host seam on POSIX system calls: one `HostFile` is one file descriptor of a regular file.

Every `OSError` becomes a `HostError`.  The kernel's own refusals (`_REFUSALS`) come before any effect;
after any other error of a call that changes something nobody can know, so its effect is unknown.
Locks are flock's: they belong to the open file description, so two handles in one process conflict too.
"""

import errno
import fcntl
import os
import stat
from collections.abc import Iterator

import attrs

from blockops.errors import Effect, HostError
from blockops.host.api import LockMode
from blockops.host.names import absolute
from blockops.host.qemu_locks import hold_as_qemu

_REFUSALS = frozenset(
    {
        errno.EACCES,
        errno.EAGAIN,
        errno.EBADF,
        errno.EBUSY,
        errno.EEXIST,
        errno.EFBIG,
        errno.EINVAL,
        errno.EISDIR,
        errno.ELOOP,
        errno.EMFILE,
        errno.ENAMETOOLONG,
        errno.ENFILE,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.ENOTEMPTY,
        errno.ENOTSUP,
        errno.ENXIO,
        errno.EPERM,
        errno.EROFS,
        errno.ETXTBSY,
        errno.EXDEV,
    }
)
_CHANGES = frozenset(
    {"create", "write", "truncate", "flush", "close", "rename", "unlink", "make_folder", "sync"}
)

# pread allocates its whole answer before it knows how much there is; more than this comes in parts.
_LONGEST_READ = 64 * 1024 * 1024

# O_NONBLOCK: opening a FIFO or a modem line returns at once; regular files ignore it.
_OPEN = os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


# ValueError: a NUL or a lone surrogate in a name, an offset beyond 64 bits is OverflowError.
_FAILURES = (OSError, ValueError, OverflowError)


def _failure(operation: str, path: str, error: Exception, offset: int | None = None) -> HostError:
    """Return what *error*, raised by a system call, means at the seam."""
    code = (error.errno if isinstance(error, OSError) else None) or errno.EINVAL
    unknown = operation in _CHANGES and code not in _REFUSALS
    return HostError(operation, path, code, offset, Effect.UNKNOWN if unknown else Effect.NONE)


@attrs.define(eq=False)
class PosixFile:
    """An open regular file.  After `close` every call but `close` fails with EBADF."""

    path: str
    writable: bool
    _descriptor: int
    _held: LockMode | None = attrs.field(default=None, init=False)

    def read(self, offset: int, length: int) -> bytes:
        """Return up to *length* bytes from *offset* (pread)."""
        try:
            return os.pread(self._descriptor, min(length, _LONGEST_READ), offset)
        except _FAILURES as error:
            raise self._failure("read", error, offset) from error

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> int:
        """Write a prefix of *data* at *offset*, return its length (pwrite)."""
        try:
            return os.pwrite(self._descriptor, data, offset)
        except _FAILURES as error:
            raise self._failure("write", error, offset) from error

    def truncate(self, size: int) -> None:
        """Set the size (ftruncate)."""
        try:
            os.ftruncate(self._descriptor, size)
        except _FAILURES as error:
            raise self._failure("truncate", error, size) from error

    def size(self) -> int:
        """Return the size (fstat)."""
        try:
            return os.fstat(self._descriptor).st_size
        except _FAILURES as error:
            raise self._failure("size", error) from error

    def allocated(self) -> int:
        """Return how many bytes the host has set aside for the file (fstat); not part of the seam."""
        try:
            return os.fstat(self._descriptor).st_blocks * 512
        except _FAILURES as error:
            raise self._failure("size", error) from error

    def stretch(self, offset: int) -> tuple[bool, int]:
        """Return whether there is data at *offset*, or a hole, and where that ends; not part of the seam.

        *offset* lies before the end of the file (lseek, SEEK_DATA and SEEK_HOLE; they move no position that
        anybody uses).
        """
        try:
            start = _seek(self._descriptor, offset, os.SEEK_DATA)
            if start is None:
                return False, self.size()
            if start > offset:
                return False, start
            return True, os.lseek(self._descriptor, offset, os.SEEK_HOLE)
        except _FAILURES as error:
            raise self._failure("read", error, offset) from error

    def reserve(self, size: int) -> None:
        """Set the first *size* bytes, more than none, aside (posix_fallocate); not part of the seam."""
        try:
            os.posix_fallocate(self._descriptor, 0, size)
        except _FAILURES as error:
            raise self._failure("write", error) from error

    def take_mode(self, other: "PosixFile") -> None:
        """Let the same people read and write this file as *other* (fchmod); not part of the seam."""
        try:
            os.fchmod(self._descriptor, stat.S_IMODE(os.fstat(other._descriptor).st_mode))
        except _FAILURES as error:
            raise self._failure("create", error) from error

    def flush(self) -> None:
        """Make what was written durable (fdatasync)."""
        try:
            os.fdatasync(self._descriptor)
        except _FAILURES as error:
            raise self._failure("flush", error) from error

    def lock(self, mode: LockMode) -> None:
        """Take the lock or swap the one held (flock); where it is refused, the one held stays."""
        try:
            fcntl.flock(self._descriptor, _FLOCK[mode])
            self._held = mode
        except _FAILURES as error:
            raise self._lock_refused(error) from error

    def _lock_refused(self, error: Exception) -> HostError:
        failure = self._failure("lock", error)
        if self._held is not None and self._descriptor >= 0:
            # flock gives the old lock up before it asks for the new one (flock(2), "Converting a lock").
            try:
                fcntl.flock(self._descriptor, _FLOCK[self._held])
            except OSError:
                self._held, failure.effect = None, Effect.UNKNOWN
        return failure

    def lock_as_qemu(self) -> None:
        """Take the locks that QEMU's own processes respect, until `close`; not part of the seam.

        EAGAIN where one of them forbids it: it writes to the file, or it shares it with nobody.
        """
        try:
            hold_as_qemu(self._descriptor, writable=self.writable)
        except _FAILURES as error:
            raise self._failure("lock", error) from error

    def close(self) -> None:
        """Close the descriptor, which releases its lock."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor < 0:
            return
        try:
            os.close(descriptor)
        except OSError as error:
            raise _failure("close", self.path, error) from error

    def _failure(self, operation: str, error: Exception, offset: int | None = None) -> HostError:
        """Return what *error* means; system calls differ in what they say to a handle that forbids them."""
        if self._descriptor < 0 or (operation in ("write", "truncate") and not self.writable):
            error = OSError(errno.EBADF, "")
        return _failure(operation, self.path, error, offset)


_FLOCK = {
    LockMode.SHARED: fcntl.LOCK_SH | fcntl.LOCK_NB,
    LockMode.EXCLUSIVE: fcntl.LOCK_EX | fcntl.LOCK_NB,
}


class PosixFolder:
    """A folder of the real host.  *path* may be relative to the working directory of that moment."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = absolute(os.getcwd(), os.fspath(path))

    def resolve(self, name: str) -> str:
        """Return the absolute, normalised form of *name*."""
        return absolute(self.path, name)

    def follow(self, name: str) -> str:
        """Return the absolute name of what *name* leads to through links; not part of the seam."""
        path = self.resolve(name)
        try:
            return os.path.realpath(path)
        except _FAILURES as error:
            raise _failure("open", path, error) from error

    def open(self, name: str, *, writable: bool) -> PosixFile:
        """Open a regular file; EISDIR for a folder, ENOTSUP for anything else that is no file."""
        path = self.resolve(name)
        flags = os.O_RDWR if writable else os.O_RDONLY
        return PosixFile(path, writable, _descriptor("open", path, flags))

    def create(self, name: str, *, replace: bool) -> PosixFile:
        """Create an empty file or, with *replace*, empty an existing one in place (O_TRUNC)."""
        path = self.resolve(name)
        flags = os.O_RDWR | os.O_CREAT | (os.O_TRUNC if replace else os.O_EXCL)
        return PosixFile(path, True, _descriptor("create", path, flags))

    def rename(self, old: str, new: str) -> None:
        """Rename a file; a folder is EISDIR, as source or as target."""
        source, target = self.resolve(old), self.resolve(new)
        try:
            if _is_folder(source):
                raise OSError(errno.EISDIR, "")
            os.rename(source, target)
        except _FAILURES as error:
            raise _failure("rename", source, error) from error

    def unlink(self, name: str) -> None:
        """Remove the name of a file."""
        path = self.resolve(name)
        try:
            os.unlink(path)
        except _FAILURES as error:
            raise _failure("unlink", path, error) from error

    def exists(self, name: str) -> bool:
        """Whether the name is taken: by a file, a folder, or a link, wherever it leads."""
        path = self.resolve(name)
        try:
            os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except _FAILURES as error:
            raise _failure("exists", path, error) from error
        return True

    def names(self) -> list[str]:
        """Return the absolute names of all regular files below, sorted; links are not followed."""
        return sorted(_files_below(self.path))

    def sync(self, name: str = ".") -> None:
        """Make a folder's entries durable (fsync of the directory)."""
        path = self.resolve(name)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except _FAILURES as error:
            raise _failure("sync", path, error) from error

    def make_folder(self, name: str) -> None:
        """Make one folder (mkdir); not part of the seam, the core never makes folders."""
        path = self.resolve(name)
        try:
            os.mkdir(path)
        except _FAILURES as error:
            raise _failure("make_folder", path, error) from error


def _seek(descriptor: int, offset: int, whence: int) -> int | None:
    """Return where lseek arrives, None where there is nothing more of what it looks for."""
    try:
        return os.lseek(descriptor, offset, whence)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return None
        raise


def _descriptor(operation: str, path: str, flags: int) -> int:
    """Open *path*, a regular file; its mode is the umask's to narrow."""
    try:
        descriptor = os.open(path, flags | _OPEN, 0o666)
    except _FAILURES as error:
        raise _failure(operation, path, error) from error
    try:
        _demand_regular(descriptor)
    except BaseException as error:  # Ctrl-C too: nobody else knows the descriptor yet
        os.close(descriptor)
        if isinstance(error, OSError):
            raise _failure(operation, path, error) from error
        raise
    return descriptor


def _demand_regular(descriptor: int) -> None:
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(mode):
        raise OSError(errno.EISDIR, "")
    if not stat.S_ISREG(mode):
        raise OSError(errno.ENOTSUP, "")


def _is_folder(path: str) -> bool:
    """Whether there is a folder; where nobody can tell, the call that follows will say why."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except _FAILURES:
        return False


def _files_below(top: str) -> Iterator[str]:
    try:
        with os.scandir(top) as entries:
            found = list(entries)
    except _FAILURES as error:
        raise _failure("names", top, error) from error
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            yield from _files_below(entry.path)
        elif entry.is_file(follow_symlinks=False):
            yield entry.path
