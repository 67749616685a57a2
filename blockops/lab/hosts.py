"""Breaking the host: a wrapper that stands between the core and a real or an in-memory host.

All files of a case, the hypervisor's and management's alike, share one `Clock`.  It numbers the host
operations from the moment at which management begins, and fails the one that the case names.

Fault model.  An operation that fails has had no effect, with two exceptions: a *torn* write has
persisted the first half of its sectors, and a *short* transfer has done half of its length and says so.
A failed flush loses nothing here, because nothing is lost but by power (a later fault group).  Size
queries, lock calls and listings do not fail.
"""

from collections.abc import Sequence

import attrs

from blockops.errors import Effect, HostError
from blockops.host.api import HostFile, LockMode
from blockops.host.memory import MemoryFolder
from blockops.lab.faults.fault import Fault, HostOperation
from blockops.lab.faults.host import HostFault
from blockops.lab.faults.kinds import ERRNO, KINDS_OF, MUTATING, Kind, scope_of, scopes
from blockops.units import SECTOR


class ProcessKilled(BaseException):
    """The hypervisor is gone; nothing of it may catch this."""


class InjectedError(HostError):
    """The error of an operation that was made to fail; it notices who looks at its errno.

    Where nobody did, another errno would have changed nothing but words.
    """

    _clock: "Clock | None" = None

    def watched(self, clock: "Clock") -> "InjectedError":
        """Tell *clock* from now on."""
        self._clock = clock
        return self

    @property
    def code(self) -> int:
        if self._clock is not None:
            self._clock.looked = True
        return self._code

    @code.setter
    def code(self, code: int) -> None:
        self._code = code

    @property
    def message(self) -> str:
        return HostError(self.operation, self.path, self._code, self.offset).message


@attrs.define(eq=False)
class Clock:
    """The count of host operations of one case, and the fault that one of them meets.

    *actor* is whoever the scheduler is stepping.  *doubled* are files that one process had open twice,
    one of the handles for writing, or wiped while it had them open.
    *operations* and *mutations* (how many of them change the disk) are kept only while *recording*.
    *again* names the scopes in which a lasting fault would have hit more, *looked* says that somebody
    asked which errno an injected error has, other than to print it.
    """

    fault: Fault
    recording: bool = False
    running: bool = False
    actor: str = ""
    dead: bool = False
    number: int = 0
    operations: list[HostOperation] = attrs.field(factory=list)
    hits: list[HostOperation] = attrs.field(factory=list)
    again: set[str] = attrs.field(factory=set)
    looked: bool = False
    mutations: int = 0
    doubled: dict[str, None] = attrs.field(factory=dict)
    _armed: int = 0

    def __attrs_post_init__(self) -> None:
        self._armed = self.fault.armed_from

    def tick(self, operation: str, path: str, offset: int = 0, length: int = 0) -> Kind | None:
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
        self, kind: Kind, operation: str, path: str, offset: int | None = None, effect: Effect = Effect.NONE
    ) -> "InjectedError":
        """Return the error of an operation that fails as *kind*."""
        return InjectedError(operation, path, ERRNO[kind], offset, effect).watched(self)

    def disarm(self) -> None:
        """Break nothing any more: what follows is judgement."""
        self._armed = 0

    def _strike(self, operation: HostOperation) -> Kind | None:
        if not isinstance(self.fault, HostFault):
            self._kill(operation)
            return None
        if not self.hits:
            # A case id made up by hand can name a kind that this operation does not know: it meets nothing.
            applies = self.fault.kind in KINDS_OF[operation.operation]
            self._armed *= applies
            if not applies:
                return None
        elif not self._goes_on(self.fault, scopes(self.hits[0], operation)):
            return None
        self.hits.append(operation)
        return self.fault.kind

    def _goes_on(self, fault: HostFault, hit: frozenset[str]) -> bool:
        self.again |= hit
        return fault.lasting and scope_of(fault.kind) in hit

    def _kill(self, operation: HostOperation) -> None:
        if operation.actor == "management":
            return  # management's own call: the hypervisor lives until it makes one itself
        self.hits.append(operation)
        self._armed = 0
        self.dead = True
        raise ProcessKilled


@attrs.define(eq=False)
class FaultyFile:
    """A file whose operations the clock counts and may fail."""

    inner: HostFile
    clock: Clock

    @property
    def path(self) -> str:
        return self.inner.path

    @property
    def writable(self) -> bool:
        return self.inner.writable

    def read(self, offset: int, length: int) -> bytes:
        kind = self.clock.tick("read", self.inner.path, offset, length)
        if kind is None:
            return self.inner.read(offset, length)
        if kind is Kind.SHORT:
            return self.inner.read(offset, max(1, length // 2) if length else 0)
        raise self.clock.failure(kind, "read", self.inner.path, offset)

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> int:
        kind = self.clock.tick("write", self.inner.path, offset, len(data))
        if kind is None:
            return self.inner.write(offset, data)
        if kind is Kind.SHORT:
            return self.inner.write(offset, memoryview(data)[: max(1, len(data) // 2)] if data else data)
        if kind is Kind.TORN:
            self._tear(offset, memoryview(data))
            raise self.clock.failure(kind, "write", self.inner.path, offset, Effect.UNKNOWN)
        raise self.clock.failure(kind, "write", self.inner.path, offset)

    def truncate(self, size: int) -> None:
        self._whole("truncate", size)
        self.inner.truncate(size)

    def size(self) -> int:
        return self.inner.size()

    def flush(self) -> None:
        self._whole("flush")
        self.inner.flush()

    def lock(self, mode: LockMode) -> None:
        self.inner.lock(mode)

    def close(self) -> None:
        self.inner.close()

    def _whole(self, operation: str, offset: int = 0) -> None:
        kind = self.clock.tick(operation, self.inner.path, offset)
        if kind is not None:
            raise self.clock.failure(kind, operation, self.inner.path)

    def _tear(self, offset: int, data: memoryview) -> None:
        sectors = len(data) // SECTOR // 2
        if sectors:
            self.inner.write(offset, data[: sectors * SECTOR])


@attrs.define(eq=False)
class FaultyFolder:
    """A folder whose operations, and those of the files it opens, the clock counts and may fail."""

    inner: MemoryFolder
    clock: Clock

    @property
    def path(self) -> str:
        return self.inner.path

    def resolve(self, name: str) -> str:
        return self.inner.resolve(name)

    def open(self, name: str, *, writable: bool) -> FaultyFile:
        self._guard("open", name)
        self._note_doubled(name, writable)
        return FaultyFile(self.inner.open(name, writable=writable), self.clock)

    def create(self, name: str, *, replace: bool) -> FaultyFile:
        self._guard("create", name)
        self._note_doubled(name, writing=True)
        return FaultyFile(self.inner.create(name, replace=replace), self.clock)

    def rename(self, old: str, new: str) -> None:
        self._guard("rename", old)
        self.inner.rename(old, new)

    def unlink(self, name: str) -> None:
        self._guard("unlink", name)
        self.inner.unlink(name)

    def exists(self, name: str) -> bool:
        return self.inner.exists(name)

    def names(self) -> Sequence[str]:
        return self.inner.names()

    def sync(self, name: str = ".") -> None:
        self._guard("sync", name)
        self.inner.sync(name)

    def _note_doubled(self, name: str, writing: bool) -> None:
        path = self.inner.resolve(name)
        if any(handle.path == path and (writing or handle.writable) for handle in self.inner.handles):
            self.clock.doubled[path] = None

    def _guard(self, operation: str, name: str) -> None:
        path = self.inner.resolve(name)
        kind = self.clock.tick(operation, path)
        if kind is not None:
            raise self.clock.failure(kind, operation, path)
