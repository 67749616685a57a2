"""The mirror: copy a device to a target while the guest writes, then switch to it, or let it go.

Source: QEMU's mirror job as it has been since 1.3 (`drive-mirror` in its QAPI schema; the states since
2.12).  A chunk that the guest writes becomes dirty again, and the job copies until none is: it has
*converged*, flushes the target, says BLOCK_JOB_READY and goes on copying what is written from then on.

To end it the device is drained.  Where a chunk is dirty then, or the target's flush fails, the guest goes
on, and the job tries again: so nothing is copied while the guest is held.  Completing shows the target
instead of the source; cancelling at ready leaves the source, and the target is a copy of what the guest
saw at that moment.  Cancelling before, or by force, just lets go of the target, whatever is in it.

An error of either side is the job's, never the guest's: the chunk stays dirty, and `OnError` decides.
"""

import enum
import errno
from collections.abc import Callable
from typing import ClassVar, assert_never

import attrs

from blockops.device import drain, resume
from blockops.errors import BlockError, HostError
from blockops.graph.node import ImageNode
from blockops.graph.status import holds
from blockops.graph.tracking import TrackingNode
from blockops.jobs.job import Job, Work
from blockops.jobs.state import Move
from blockops.steps import Phase, Step


class Sync(enum.Enum):
    """What is copied besides what the guest writes meanwhile."""

    FULL = "full"
    TOP = "top"
    NONE = "none"


class OnError(enum.Enum):
    """What becomes of the job when it meets an error.

    REPORT ends it.  IGNORE tries again.  STOP pauses it until a client resumes it.  ENOSPC stops where
    the host is full, and reports other errors.
    """

    REPORT = "report"
    IGNORE = "ignore"
    STOP = "stop"
    ENOSPC = "enospc"


@attrs.define(eq=False)
class MirrorJob(Job):
    """Copies what the device showed, *node*'s upper, to *node*'s target."""

    kind: ClassVar[str] = "mirror"
    node: TrackingNode = attrs.field(kw_only=True)
    sync: Sync = attrs.field(kw_only=True)
    on_source_error: OnError = attrs.field(default=OnError.REPORT, kw_only=True)
    on_target_error: OnError = attrs.field(default=OnError.REPORT, kw_only=True)
    _cursor: int = attrs.field(default=0, init=False)

    @property
    def length(self) -> int:
        dirty = self.node.dirty
        return self.offset + dirty.count * dirty.chunk

    def _work(self) -> Work[None]:
        self._mark_what_is_wanted()
        while True:
            yield from self.pause_point()
            chunk = self.node.dirty.next(self._cursor)
            if chunk is not None:
                yield from self._copy(chunk)
            elif not self.ready:
                yield self._converged()
            elif self.completing or self.cancelling:
                if (yield from self._ended()):
                    return
            else:
                yield None

    def _mark_what_is_wanted(self) -> None:
        dirty, top = self.node.dirty, self.node.upper.source
        match self.sync:
            case Sync.FULL:
                dirty.mark(0, dirty.size)
            case Sync.TOP:
                for offset in range(0, dirty.size, dirty.chunk):
                    length = min(dirty.chunk, dirty.size - offset)
                    if holds(top, offset, length):
                        dirty.mark(offset, length)
            case Sync.NONE:
                pass
            case _:
                assert_never(self.sync)

    # ------------------------------------------------------------------------------------- copying

    def _copy(self, chunk: int) -> Work[None]:
        """Copy one chunk; on an error it is dirty again."""
        dirty = self.node.dirty
        offset, length = dirty.range_of(chunk)
        self._cursor = chunk + 1
        # Before it is read: what the guest writes from now on makes it dirty again.
        dirty.clear(chunk)
        try:
            data = self.node.upper.read(offset, length)
        except BlockError as error:
            dirty.mark(offset, length)
            self._met(error, "read", self.on_source_error)
            yield Step(Phase.COPY, self.node.source.path)
            return
        yield Step(Phase.COPY, self.node.source.path)
        if self._on_target(lambda: _put(self.node.target, offset, data)):
            self.offset += length
        else:
            dirty.mark(offset, length)
        yield Step(Phase.COPY, self.node.target.path)

    def _converged(self) -> Step:
        """Make the copy durable; where that succeeds the job is ready."""
        if self._on_target(self.node.target.flush):
            self.move(Move.CONVERGE)
            self.tell("BLOCK_JOB_READY", self.facts())
        return Step(Phase.FLUSH, self.node.target.path)

    def _on_target(self, action: Callable[[], None]) -> bool:
        """Do something with the target; return whether it succeeded and the job may go on after it."""
        try:
            action()
        except BlockError as error:
            self._met(error, "write", self.on_target_error)
            return False
        return True

    def _met(self, error: BlockError, operation: str, policy: OnError) -> None:
        """Tell of an error and do as *policy* says: raise it, pause, or nothing."""
        full = isinstance(error.root, HostError) and error.root.code == errno.ENOSPC
        if policy is OnError.ENOSPC:
            policy = OnError.STOP if full else OnError.REPORT
        self.io_status = "nospace" if full else "failed"
        told = {"device": self.device, "operation": operation, "action": policy.value}
        self.tell("BLOCK_JOB_ERROR", told)
        if policy is OnError.REPORT:
            raise error
        if policy is OnError.STOP:
            self.user_paused = True

    # -------------------------------------------------------------------------------------- ending

    def _ended(self) -> Work[bool]:
        """Try to end while the device is drained; return whether that was possible."""
        device = self.owner  # by the end of the drain it may have been unplugged
        yield from drain([device])
        try:
            if self.node.dirty.count or not self._made_durable():
                return False
            yield Step(Phase.FLUSH, self.node.target.path)
            self._show(self.node.target if self.completing else None)
            yield Step(Phase.PIVOT, self.device)
            return True
        finally:
            resume([device])

    def _made_durable(self) -> bool:
        """Flush the target, and the source too where the target goes on resting on it (our choice).

        From the switch on the guest's flushes reach the target only.
        """
        if self.sync is Sync.NONE:
            try:
                self.node.upper.flush()
            except BlockError as error:
                self._met(error, "read", self.on_source_error)
                return False
        return self._on_target(self.node.target.flush)

    def _show(self, node: ImageNode | None) -> None:
        graph = self.machine.graph
        graph.tops[self.device] = self.node.upper if node is None else node
        graph.collect()

    def _drop(self) -> None:
        self._show(None)


def _put(target: ImageNode, offset: int, data: bytes) -> None:
    if data.count(0) == len(data):
        target.write_zeroes(offset, len(data))
    else:
        target.write(offset, data)
