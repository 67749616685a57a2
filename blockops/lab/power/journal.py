"""The journal: what reached the host and is not promised to survive a power cut.

What POSIX promises: a flush of a file makes its data and its size durable; that a name leads to it (or no
longer does) is durable when the folder has been synced, and not before.  Nothing orders two changes that
are both pending.  When the journal begins, all is durable.

A rename within a folder happens as a whole.  One from folder to folder is, once one of the two has been
synced, what is left of it in the other.
"""

import posixpath
from collections.abc import Mapping
from typing import TypeAlias

import attrs

from blockops.host.memory import MemoryDisk, MemoryFolder
from blockops.host.memory_file import MemoryFile
from blockops.host.pages import Content


class PowerLost(BaseException):
    """The whole host is gone; nothing of the hypervisor or of management may catch this."""


@attrs.frozen
class Write:
    """*data* was written at byte *offset*."""

    offset: int
    data: bytes


@attrs.frozen
class Resize:
    """The file was cut or extended to *size* bytes."""

    size: int


Change: TypeAlias = Write | Resize


@attrs.define(eq=False)
class Unsynced:
    """One file: the bytes that are *durable*, and the *changes* since, in order.

    *fresh*: nobody has flushed it since it was created or wiped.
    """

    durable: Content
    changes: list[Change] = attrs.field(factory=list)
    fresh: bool = False


@attrs.frozen(eq=False)
class Linked:
    """The name *path* came to lead to *content*, and no longer to what was *replaced*."""

    path: str
    content: Content
    replaced: Content | None = None


@attrs.frozen(eq=False)
class Unlinked:
    """The name *path*, which led to *content*, went."""

    path: str
    content: Content


@attrs.frozen(eq=False)
class Renamed:
    """*content* went from the name *old* to the name *new*, which may have led to what was *replaced*."""

    old: str
    new: str
    content: Content
    replaced: Content | None


Entry: TypeAlias = Linked | Unlinked | Renamed


@attrs.define(eq=False)
class Journal:
    """What is pending, by file and for all names together, in order.

    *lying*: the storage says that a flush or a sync is done and does nothing (P7).
    """

    lying: bool = False
    files: dict[Content, Unsynced] = attrs.field(factory=dict)
    entries: list[Entry] = attrs.field(factory=list)

    def fresh(self, files: Mapping[str, Content]) -> list[str]:
        """Return the names, of *files*, of those that nobody has flushed since they were created or wiped."""
        return [
            path for path, content in files.items() if content in self.files and self.files[content].fresh
        ]

    def opened(self, content: Content) -> None:
        """Note a file that may be written to from now on."""
        if content not in self.files:
            self.files[content] = Unsynced(content.fork())

    def wrote(self, file: MemoryFile, offset: int, data: bytes | bytearray | memoryview, done: int) -> None:
        """Note that the first *done* bytes of *data* were written."""
        if file.content is not None and done:
            self.files[file.content].changes.append(Write(offset, bytes(data[:done])))

    def resized(self, file: MemoryFile, size: int) -> None:
        """Note that the file was given another size; a volume keeps its own."""
        if file.content is not None and not file.content.volume:
            self.files[file.content].changes.append(Resize(size))

    def flushed(self, file: MemoryFile) -> None:
        """Note that all in the file is durable, whoever wrote it; a handle for reading flushes as well."""
        unsynced = None if file.content is None else self.files.get(file.content)
        if unsynced is None or file.content is None or self.lying:
            return
        unsynced.fresh = False
        if unsynced.changes:
            unsynced.durable = file.content.fork()
            unsynced.changes.clear()

    def synced(self, folder: str) -> None:
        """Note that the names in *folder* are durable as they are."""
        if not self.lying:
            left = (_left_of(entry, folder) for entry in self.entries)
            self.entries = [entry for entry in left if entry is not None]


def _left_of(entry: Entry, folder: str) -> Entry | None:
    """Return what of *entry* is still pending when *folder* has been synced."""
    match entry:
        case Linked(path=path) | Unlinked(path=path):
            return None if posixpath.dirname(path) == folder else entry
        case Renamed(old=old, new=new):
            here = posixpath.dirname(old) == folder, posixpath.dirname(new) == folder
            if here == (True, False):
                return Linked(new, entry.content, entry.replaced)
            if here == (False, True):
                return Unlinked(old, entry.content)
            return None if all(here) else entry


@attrs.frozen(eq=False)
class JournaledFolder:
    """A folder that notes in a journal what becomes of names."""

    inner: MemoryFolder
    journal: Journal

    def open(self, name: str, *, writable: bool) -> MemoryFile:
        """Open a file; what may be written to is followed from now on."""
        file = self.inner.open(name, writable=writable)
        if writable and file.content is not None:
            self.journal.opened(file.content)
        return file

    def create(self, name: str, *, replace: bool) -> MemoryFile:
        """Create a file, or wipe one."""
        before = _file_at(self.inner.disk, self.inner.resolve(name))
        if before is not None:
            self.journal.opened(before)
        file = self.inner.create(name, replace=replace)
        assert file.content is not None
        if before is not None:
            self.journal.resized(file, 0)
        else:
            self.journal.opened(file.content)
            self.journal.entries.append(Linked(file.path, file.content))
        self.journal.files[file.content].fresh = not file.content.volume
        return file

    def rename(self, old: str, new: str) -> None:
        """Rename a file."""
        source, target, disk = self.inner.resolve(old), self.inner.resolve(new), self.inner.disk
        content, replaced = _file_at(disk, source), _file_at(disk, target)
        self.inner.rename(old, new)
        if content is not None and source != target:
            self.journal.entries.append(Renamed(source, target, content, replaced))

    def unlink(self, name: str) -> None:
        """Remove a name."""
        path = self.inner.resolve(name)
        content = _file_at(self.inner.disk, path)
        self.inner.unlink(name)
        if content is not None:
            self.journal.entries.append(Unlinked(path, content))

    def sync(self, name: str = ".") -> None:
        """Make the names in a folder durable."""
        self.inner.sync(name)
        self.journal.synced(self.inner.resolve(name))


def _file_at(disk: MemoryDisk, path: str) -> Content | None:
    return disk.files.get(path)
