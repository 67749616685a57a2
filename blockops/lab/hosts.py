"""Breaking the host: a wrapper that stands between the core and a real or an in-memory host.

All files of a case, the hypervisor's and management's alike, share one `Clock`.  It numbers the host
operations from the moment at which management begins, and fails those that the case names.

Fault model.  An operation that fails has had no effect, but

* a *torn* write has persisted the first half of its sectors,
* a *short* transfer has done half of its length and says so,
* a *dropped* flush has lost what was written to that file since its last good flush (`page_cache`),
* a failure *after the effect* comes when all is done; whoever created a file then has no handle on it.

A plain failed flush loses nothing here: a crash, which would, is another fault.  Size queries, lock calls
and listings do not fail.  What a process writes and flushes goes through its cache mode (`cache`).
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import attrs

from blockops.errors import Effect
from blockops.host.api import LockMode
from blockops.host.memory import MemoryFolder
from blockops.host.memory_file import MemoryFile
from blockops.lab.cache import Cache
from blockops.lab.faults.fault import Fault, HostOperation
from blockops.lab.faults.host import HostFault, Trouble
from blockops.lab.faults.kinds import ERRNO, MUTATING, Kind
from blockops.lab.faults.power import Cut
from blockops.lab.foregone import makes_good
from blockops.lab.injected import Asked, InjectedError
from blockops.lab.page_cache import PageCache
from blockops.lab.power.journal import Journal, JournaledFolder
from blockops.units import SECTOR

T = TypeVar("T")


class ProcessKilled(BaseException):
    """The hypervisor is gone; nothing of it may catch this."""


@attrs.define(eq=False)
class Clock:
    """The count of host operations of one case, and the fault that some of them meet.

    *actor* is whoever the scheduler is stepping.  *doubled* are files that one process had open twice,
    one of the handles for writing, or wiped while it had them open.
    *operations* and *mutations* (how many of them change the disk) are kept only while *recording*.
    *asked*: what somebody asked about the injected errors.
    *about_to* is told of every operation, from the one on that is armed, before it is carried out.
    *made_good* is told of a short transfer when the operation after it has begun to do the rest.
    *pages* is there where a flush is to drop some, *journal* where power is to be lost; *cut* is what there
    was then.  *way* are the numbers of the operations of management and the hypervisor that came after the
    first host fault and that it did not strike: see `pairs`.
    """

    fault: Fault
    recording: bool = False
    running: bool = False
    actor: str = ""
    dead: bool = False
    number: int = 0
    operations: list[HostOperation] = attrs.field(factory=list)
    hits: list[HostOperation] = attrs.field(factory=list)
    asked: Asked = attrs.field(factory=Asked)
    mutations: int = 0
    doubled: dict[str, None] = attrs.field(factory=dict)
    way: list[int] = attrs.field(factory=list)
    made_good: Callable[[HostOperation], None] | None = None
    about_to: Callable[[HostOperation], None] | None = None
    troubles: tuple[Trouble, ...] = attrs.field(init=False)
    pages: PageCache | None = attrs.field(init=False)
    journal: Journal | None = attrs.field(init=False)
    cut: Cut | None = None
    _armed: int = attrs.field(init=False)
    _short: HostOperation | None = None

    def __attrs_post_init__(self) -> None:
        self._armed = self.fault.armed_from
        self.troubles = tuple(map(Trouble, self.fault.host_faults))
        drops = any(trouble.fault.kind is Kind.DROPPED for trouble in self.troubles)
        self.pages = PageCache() if drops else None
        self.journal = self.fault.journal()

    def tick(self, operation: str, path: str, offset: int = 0, length: int = 0) -> HostFault | None:
        """Count one operation; return how it must fail, if it must."""
        if self.dead and self.actor != "management":
            raise ProcessKilled
        if not self.running:
            return None
        self.number += 1
        if self.recording:
            self.operations.append(HostOperation(self.number, self.actor, operation, path, offset, length))
            self.mutations += operation in MUTATING
        if not self._armed or self.number < self._armed:
            return None
        return self._strike(HostOperation(self.number, self.actor, operation, path, offset, length))

    def failure(
        self,
        fault: HostFault,
        operation: str,
        path: str,
        offset: int | None = None,
        effect: Effect = Effect.NONE,
    ) -> InjectedError:
        """Return the error of an operation that fails as *fault* says."""
        effect = Effect.UNKNOWN if fault.applied else effect
        return InjectedError(operation, path, ERRNO[fault.kind], offset, effect).watched(self.asked)

    @property
    def nobodys_doing(self) -> tuple[str, ...]:
        """The files of which what is wrong with them is not the core's doing (`Evidence.doubled`)."""
        return (*self.doubled, *(() if self.pages is None else self.pages.orphaned))

    @property
    def armed(self) -> bool:
        """Whether something is to break yet."""
        return self._armed > 0

    def clear(self) -> None:
        """Note that a command has been answered, or that the next one is sent: some trouble ends then."""
        for trouble in self.troubles:
            trouble.clear()

    def rearm(self, journal: Journal) -> None:
        """Count and journal anew, from the next operation on."""
        self.number, self.cut, self.journal = 0, None, journal
        self.running, self._armed, self.actor = True, 1, "management"

    def disarm(self) -> None:
        """Break nothing any more: what follows is judgement."""
        self._armed = 0

    def _strike(self, operation: HostOperation) -> HostFault | None:
        if self.about_to is not None:
            self.about_to(operation)
        elif not self.troubles:
            self._kill(operation)
        short, self._short = self._short, None
        if short is not None and self.made_good is not None and makes_good(operation, short):
            self.made_good(short)
        for trouble in self.troubles:
            # A case id made up by hand can name a kind that this operation does not know: it meets nothing.
            if trouble.strikes(operation):
                self.hits.append(attrs.evolve(operation, code=ERRNO.get(trouble.fault.kind, 0)))
                alone = len(self.troubles) == 1 and not self.fault.lasts
                self._short = operation if alone and trouble.fault.kind is Kind.SHORT else None
                return trouble.fault
        if operation.actor != "guest" and operation.number > self.fault.armed_from:
            self.way.append(operation.number)
        return None

    def _kill(self, operation: HostOperation) -> None:
        if operation.actor == "management":
            return  # management's own call: the hypervisor lives until it makes one itself
        self.hits.append(operation)
        self._armed = 0
        self.dead = True
        raise ProcessKilled


@attrs.define(eq=False)
class FaultyFile:
    """A file whose operations the clock counts and may fail, in a cache mode."""

    inner: MemoryFile
    clock: Clock
    cache: Cache = Cache.WRITEBACK

    @property
    def path(self) -> str:
        return self.inner.path

    @property
    def writable(self) -> bool:
        return self.inner.writable

    def read(self, offset: int, length: int) -> bytes:
        fault = self.clock.tick("read", self.inner.path, offset, length)
        if fault is None:
            return self.inner.read(offset, length)
        if fault.kind is Kind.SHORT:
            return self.inner.read(offset, max(1, length // 2) if length else 0)
        raise self.clock.failure(fault, "read", self.inner.path, offset)

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> int:
        fault = self.clock.tick("write", self.inner.path, offset, len(data))
        if fault is None:
            return self._put(offset, data)
        if fault.kind is Kind.SHORT:
            return self._put(offset, memoryview(data)[: max(1, len(data) // 2)] if data else data)
        if fault.applied:
            self._put(offset, data)
        if fault.kind is Kind.TORN:
            self._tear(offset, memoryview(data))
            raise self.clock.failure(fault, "write", self.inner.path, offset, Effect.UNKNOWN)
        raise self.clock.failure(fault, "write", self.inner.path, offset)

    def truncate(self, size: int) -> None:
        fault = self.clock.tick("truncate", self.inner.path, size)
        if fault is None or fault.applied:
            if self.clock.pages is not None:
                self.clock.pages.truncating(self.inner, size)
            self.inner.truncate(size)
            if self.clock.journal is not None:
                self.clock.journal.resized(self.inner, size)
        if fault is not None:
            raise self.clock.failure(fault, "truncate", self.inner.path)

    def size(self) -> int:
        return self.inner.size()

    def flush(self) -> None:
        if not self.cache.flushes:
            self.inner.flush()
            return
        fault = self.clock.tick("flush", self.inner.path)
        if fault is None or fault.applied:
            self.inner.flush()
            if self.clock.pages is not None:
                self.clock.pages.flushed(self.inner)
            if self.clock.journal is not None:
                self.clock.journal.flushed(self.inner)
        elif fault.kind is Kind.DROPPED and self.clock.pages is not None:
            self.clock.pages.drop(self.inner)
        if fault is not None:
            raise self.clock.failure(fault, "flush", self.inner.path)

    def lock(self, mode: LockMode) -> None:
        self.inner.lock(mode)

    def close(self) -> None:
        self.inner.close()

    def _tear(self, offset: int, data: memoryview) -> None:
        sectors = len(data) // SECTOR // 2
        if sectors:
            self._put(offset, data[: sectors * SECTOR])

    def _put(self, offset: int, data: bytes | bytearray | memoryview) -> int:
        pages = self.clock.pages
        if pages is not None and not self.cache.direct:
            pages.writing(self.inner)
        done = self.inner.write(offset, data)
        if self.clock.journal is not None:
            self.clock.journal.wrote(self.inner, offset, data, done)
        if pages is not None and self.cache.direct:
            pages.flushed(self.inner)
        return done


@attrs.define(eq=False)
class FaultyFolder:
    """A folder whose operations, and those of the files it opens, the clock counts and may fail."""

    inner: MemoryFolder
    clock: Clock
    cache: Cache = Cache.WRITEBACK
    _noted: MemoryFolder | JournaledFolder = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        journal = self.clock.journal
        self._noted = self.inner if journal is None else JournaledFolder(self.inner, journal)

    @property
    def path(self) -> str:
        return self.inner.path

    def resolve(self, name: str) -> str:
        return self.inner.resolve(name)

    def open(self, name: str, *, writable: bool) -> FaultyFile:
        file = self._tried("open", name, lambda: self._opened(name, writable))
        return FaultyFile(file, self.clock, self.cache)

    def create(self, name: str, *, replace: bool) -> FaultyFile:
        file = self._tried("create", name, lambda: self._created(name, replace))
        return FaultyFile(file, self.clock, self.cache)

    def rename(self, old: str, new: str) -> None:
        self._tried("rename", old, lambda: self._noted.rename(old, new))

    def unlink(self, name: str) -> None:
        self._tried("unlink", name, lambda: self._noted.unlink(name))

    def exists(self, name: str) -> bool:
        return self.inner.exists(name)

    def names(self) -> Sequence[str]:
        return self.inner.names()

    def sync(self, name: str = ".") -> None:
        self._tried("sync", name, lambda: self._noted.sync(name))

    def _opened(self, name: str, writable: bool) -> MemoryFile:
        self._note_doubled(name, writable)
        return self._noted.open(name, writable=writable)

    def _created(self, name: str, replace: bool) -> MemoryFile:
        self._note_doubled(name, writing=True)
        file = self._noted.create(name, replace=replace)
        if self.clock.pages is not None:
            self.clock.pages.truncating(file, 0)
        return file

    def _note_doubled(self, name: str, writing: bool) -> None:
        path = self.inner.resolve(name)
        if any(handle.path == path and (writing or handle.writable) for handle in self.inner.handles):
            self.clock.doubled[path] = None

    def _tried(self, operation: str, name: str, carry_out: Callable[[], T]) -> T:
        """Carry the operation out, unless it must fail; after its effect nobody gets what it returned."""
        path = self.inner.resolve(name)
        fault = self.clock.tick(operation, path)
        if fault is None:
            return carry_out()
        if fault.applied:
            result = carry_out()
            if isinstance(result, MemoryFile):
                result.close()
        raise self.clock.failure(fault, operation, path)
