"""The host seam in memory: a `MemoryDisk` outlives the processes that look at it through `MemoryFolder`s.

The disk is the durable part, names and contents; a folder is one process, with its handles and locks.
Contents are shared until they differ (`pages`), so a fork is cheap.  Everything written is durable at
once; what a crash may lose is the business of a wrapper.
A file may be adopted: its content is another `HostFile`'s, read where it lies and never written.  Or it may
be a volume, as storage hands them out: its size is fixed, its name is not ours.  Creating with *replace*
opens it as it is; writing or truncating beyond its end is ENOSPC, truncating within it does nothing (all as
Linux and QEMU treat block devices); unlinking or renaming it is EPERM (our choice).
"""

import errno
import hashlib
import posixpath
from collections.abc import Mapping

from blockops.errors import HostError
from blockops.host.api import HostFile, HostFolder, write_fully
from blockops.host.memory_file import MemoryFile, open_handle
from blockops.host.names import MAX_NAME, MAX_PATH, absolute
from blockops.host.pages import Content, adopted, volume
from blockops.host.posix import PosixFolder


class MemoryDisk:
    """Folders and files by absolute name.  A new one has the folder */vm* and nothing in it."""

    def __init__(self) -> None:
        self._folders: dict[str, None] = {"/": None, "/vm": None}
        self._files: dict[str, Content] = {}

    def fork(self) -> "MemoryDisk":
        """Return a disk with the same names and contents and a life of its own: O(files), no copying.

        Handles, locks and unlinked files stay behind, as at a power cut.
        """
        return self.surviving(self._files)

    @property
    def files(self) -> Mapping[str, Content]:
        """All files by absolute name."""
        return self._files

    def surviving(self, files: Mapping[str, Content]) -> "MemoryDisk":
        """Return a fork that has these files instead, forks of these contents."""
        twin = MemoryDisk()
        twin._folders = dict(self._folders)
        twin._files = {name: content.fork() for name, content in files.items()}
        return twin

    def adopt(self, name: str, file: HostFile) -> None:
        """Let *file* appear as *name*, read-only: nothing is copied, nothing is ever written to it.

        *file* stays open as long as this disk or a fork of it is in use.  Opening the name for
        writing fails with EROFS.  The digest knows it by *name* and size.
        """
        path = self._free_name("adopt", absolute("/", name))
        self._files[path] = adopted(path, file)

    def make_volume(self, name: str, size: int, filling: bytes) -> None:
        """Let a volume of *size* bytes appear as *name*, each of its pages with these old bytes in it."""
        self._files[self._free_name("make_volume", absolute("/", name))] = volume(size, filling)

    def digest(self) -> str:
        """Return a hash over all names and contents: the same on any machine, whatever the history.

        Pages that have not changed since the last call are not hashed again, in forks neither.
        """
        total = hashlib.blake2b(ascii(sorted(self._folders)).encode(), digest_size=16)
        for name in sorted(self._files):
            total.update(ascii(name).encode() + self._files[name].digest())
        return total.hexdigest()

    def export(self, name: str, folder: HostFolder, target: str) -> None:
        """Write the file *name* as the new file *target* of *folder*; holes stay holes.

        An adopted file is refused with ENOTSUP: it is a real file already, of any size.
        """
        path = absolute("/", name)
        content = self.content("export", path)
        if content.read_only:
            raise HostError("export", path, errno.ENOTSUP)
        file = folder.create(target, replace=False)
        try:
            _copy(content, file)
        finally:
            file.close()

    def export_all(self, source: str, folder: PosixFolder) -> list[str]:
        """Write all files below the folder *source*, adopted ones left out, as real files below *folder*.

        Sub folders are made.  Returns the names written, relative to *folder*.
        """
        _make_folders(folder, [_below(source, path) for path in self._folders])
        written = []
        for path in self.names(source):
            if not self._files[path].read_only:
                written.append(_below(source, path))
                self.export(path, folder, written[-1])
        return written

    def names(self, folder: str) -> list[str]:
        """Return the names of all files below the absolute name *folder*, sorted."""
        self._demand_folder("names", folder)
        return sorted(name for name in self._files if _below(folder, name))

    def exists(self, path: str) -> bool:
        """Whether the absolute name *path* is a file or a folder."""
        if path in self._files or path in self._folders:
            return True
        code = self._no_way(path)
        _refuse("exists", path, 0 if code in (errno.ENOENT, errno.ENOTDIR) else code)
        return False

    def content(self, operation: str, path: str) -> Content:
        """Return the file at the absolute name *path*, or fail as *operation*."""
        content = self._files.get(path)
        if content is None:
            self._demand_parents(operation, path)
            raise HostError(operation, path, errno.EISDIR if path in self._folders else errno.ENOENT)
        return content

    def create(self, path: str, *, replace: bool) -> Content:
        """Make an empty file at *path*, or wipe the one that is there if *replace*."""
        if not replace:
            self._free_name("create", path)
        elif path in self._files or path in self._folders:
            return self._wiped(path)
        else:
            self._demand_parents("create", path)
        content = self._files[path] = Content()
        return content

    def _wiped(self, path: str) -> Content:
        content = self.content("create", path)
        if content.read_only:
            raise HostError("create", path, errno.EROFS)
        if not content.volume:
            content.truncate(0)
        return content

    def rename(self, old: str, new: str) -> None:
        """Give the file *old* the name *new*; a file that had it loses it.  Refusals in Linux's order."""
        if old in self._folders:
            raise HostError("rename", old, errno.EISDIR)
        _refuse("rename", old, _flaw(old) or _flaw(new) or self._no_way_to(old) or self._no_way_to(new))
        content = self.content("rename", old)
        _refuse("rename", old, _too_long(new) or self._no_target(old, new))
        for path in (old, new):
            self._refuse_volume("rename", path)
        del self._files[old]
        self._files[new] = content

    def _no_target(self, old: str, new: str) -> int:
        if new not in self._folders:
            return 0
        # Linux looks for a folder moved into itself first, and so says ENOTEMPTY for "a/b" to "a".
        return errno.ENOTEMPTY if _below(new, old) else errno.EISDIR

    def unlink(self, path: str) -> None:
        """Remove the name *path*; handles keep the content."""
        self.content("unlink", path)
        self._refuse_volume("unlink", path)
        del self._files[path]

    def _refuse_volume(self, operation: str, path: str) -> None:
        content = self._files.get(path)
        _refuse(operation, path, errno.EPERM if content is not None and content.volume else 0)

    def make_folder(self, path: str) -> None:
        """Make the folder *path* in an existing folder."""
        self._folders[self._free_name("make_folder", path)] = None

    def sync(self, path: str) -> None:
        """Fail where *path* is no folder; its entries are on the disk already."""
        self._demand_folder("sync", path)

    def _free_name(self, operation: str, path: str) -> str:
        self._demand_parents(operation, path)
        if path in self._files or path in self._folders:
            raise HostError(operation, path, errno.EEXIST)
        return path

    def _demand_folder(self, operation: str, path: str) -> None:
        if path not in self._folders:
            self._demand_parents(operation, path)
            raise HostError(operation, path, errno.ENOTDIR if path in self._files else errno.ENOENT)

    def _demand_parents(self, operation: str, path: str) -> None:
        """Fail where the kernel would on its way to *path*: a name that cannot be, a folder missing."""
        _refuse(operation, path, self._no_way(path))

    def _no_way(self, path: str) -> int:
        return _flaw(path) or self._no_way_to(path) or _too_long(path)

    def _no_way_to(self, path: str) -> int:
        """Return why the folder that *path* is in cannot be reached, an errno, or 0."""
        parent = posixpath.dirname(path)
        if parent in self._folders:
            return 0
        if parent in self._files:
            return errno.ENOTDIR
        return self._no_way_to(parent) or _too_long(parent) or errno.ENOENT


def _refuse(operation: str, path: str, code: int) -> None:
    if code:
        raise HostError(operation, path, code)


def _flaw(path: str) -> int:
    """Return the errno of a path that no system call would take, or 0."""
    try:
        encoded = path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return errno.EINVAL
    if b"\0" in encoded:
        return errno.EINVAL
    return errno.ENAMETOOLONG if len(encoded) > MAX_PATH else 0


def _too_long(path: str) -> int:
    """Return ENAMETOOLONG if the last part of *path* is longer than a name can be, or 0."""
    name = posixpath.basename(path).encode("utf-8", "surrogateescape")
    return errno.ENAMETOOLONG if len(name) > MAX_NAME else 0


def _below(top: str, path: str) -> str:
    """Return *path* relative to *top*, or "" where it is not below it."""
    prefix = top.rstrip("/") + "/"
    return path[len(prefix) :] if path.startswith(prefix) else ""


def _make_folders(folder: PosixFolder, names: list[str]) -> None:
    for name in sorted(names):
        if name and not folder.exists(name):
            folder.make_folder(name)


def _copy(content: Content, target: HostFile) -> None:
    for offset, data in content.allocated():
        write_fully(target, offset, data)
    target.truncate(content.size)


class MemoryFolder:
    """One process's view of a disk: the handles it opened, from a folder that it sees as its own."""

    def __init__(self, disk: MemoryDisk, path: str = "/vm") -> None:
        self.disk = disk
        self.path = absolute("/", path)
        self._handles: dict[MemoryFile, None] = {}

    @property
    def handles(self) -> tuple[MemoryFile, ...]:
        """The open handles, oldest first."""
        return tuple(self._handles)

    def close_all(self) -> None:
        """Release every handle and lock, as the end of a process does."""
        for handle in self.handles:
            handle.close()

    def resolve(self, name: str) -> str:
        """Return the absolute, normalised form of *name*."""
        return absolute(self.path, name)

    def open(self, name: str, *, writable: bool) -> MemoryFile:
        """Open a file; EROFS for an adopted one that is to be written."""
        path = self.resolve(name)
        content = self.disk.content("open", path)
        if writable and content.read_only:
            raise HostError("open", path, errno.EROFS)
        return open_handle(path, content, writable, self._handles)

    def create(self, name: str, *, replace: bool) -> MemoryFile:
        """Create an empty file or, with *replace*, empty an existing one in place."""
        path = self.resolve(name)
        return open_handle(path, self.disk.create(path, replace=replace), True, self._handles)

    def rename(self, old: str, new: str) -> None:
        """Rename a file, replacing whatever file had the name."""
        self.disk.rename(self.resolve(old), self.resolve(new))

    def unlink(self, name: str) -> None:
        """Remove the name of a file."""
        self.disk.unlink(self.resolve(name))

    def exists(self, name: str) -> bool:
        """Whether the name is a file or a folder."""
        return self.disk.exists(self.resolve(name))

    def names(self) -> list[str]:
        """Return the absolute names of all files below, sorted."""
        return self.disk.names(self.path)

    def sync(self, name: str = ".") -> None:
        """Fail where *name* is no folder, else do nothing."""
        self.disk.sync(self.resolve(name))

    def make_folder(self, name: str) -> None:
        """Make one folder; not part of the seam, the core never makes folders."""
        self.disk.make_folder(self.resolve(name))
