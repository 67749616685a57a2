"""What the guest submitted and what it was told: submitted, acknowledged, flushed, failed.

The guest's own notebook, and the only one that laws believe about its requests.  Times are the
scheduler's steps; whoever does two things does them in two steps.  Write *b* came after write *a* where
*b* was submitted at or after the time at which *a* ended; else they were in flight together, and nobody
knows in which order they were carried out.
"""

import attrs

from blockops.device import Operation
from blockops.errors import BlockError
from blockops.graph.node import Node


@attrs.define(eq=False)
class Written:
    """One write, discard or request for zeroes as the guest knows it: *data* at byte *start* of a device.

    Of zeroes and of a discard *data* is zeroes.  *acknowledged* and *failed* are the times at which the
    guest learnt of it; *durable* is when a flush that covers it was acknowledged, or the write itself if
    it was FUA.  *binding*: what was there before must not show again; a discard that a raw image took
    promises nothing, the data may stay.
    """

    sequence: int
    device: int
    start: int
    data: bytes
    submitted: int
    operation: Operation = Operation.WRITE
    acknowledged: int | None = None
    failed: int | None = None
    durable: int | None = None
    binding: bool = True
    node: Node | None = None

    @property
    def end(self) -> int:
        return self.start + len(self.data)

    @property
    def discards(self) -> bool:
        """Whether it is a discard: nothing was stored that could be lost."""
        return self.operation is Operation.DISCARD

    @property
    def ended(self) -> int | None:
        """When the guest learnt how it went, one way or the other."""
        return self.failed if self.acknowledged is None else self.acknowledged

    def precedes(self, other: "Written") -> bool:
        """Whether *other* was submitted after this one had ended."""
        ended = self.ended
        return ended is not None and ended <= other.submitted


@attrs.frozen
class GuestError:
    """A request of the guest that failed."""

    time: int
    device: int
    operation: Operation
    error: BlockError


@attrs.define(eq=False)
class History:
    """All that the guest submitted and what it was told, in order of submission.

    *ended* and *durable* count the writes whose outcome the guest has learnt, and those that it was told are
    durable.  *misread* are reads that did not return what had been acknowledged before; *same_node* those of
    them where both requests went to the very same node, with the images that it reads from.
    """

    writes: list[Written] = attrs.field(factory=list)
    errors: list[GuestError] = attrs.field(factory=list)
    misread: list[str] = attrs.field(factory=list)
    same_node: list[tuple[str, tuple[str, ...]]] = attrs.field(factory=list)
    time: int = 0
    ended: int = 0
    durable: int = 0

    def next_sequence(self) -> int:
        """Return the sequence number of the write to be submitted next."""
        return len(self.writes) + 1

    def submit(self, device: int, start: int, data: bytes, operation: Operation = Operation.WRITE) -> Written:
        """Note a write that is being submitted now."""
        written = Written(self.next_sequence(), device, start, data, self.time, operation)
        self.writes.append(written)
        return written

    def failed(self, written: Written) -> None:
        """Note that the guest learns now that a write failed."""
        written.failed = self.time
        self.ended += 1

    def acknowledged(self, written: Written, *, durable: bool) -> None:
        """Note that a write is acknowledged now, as *durable* or not."""
        written.acknowledged = self.time
        self.ended += 1
        if durable:
            written.durable = self.time
            self.durable += 1

    def touching(self, device: int, start: int, end: int) -> list[Written]:
        """Return the writes to bytes [start, end) of a device, in the order of submission."""
        return [one for one in self.writes if one.device == device and one.start < end and start < one.end]

    def flushed(self, device: int, submitted: int) -> None:
        """Note that a flush submitted at that time was acknowledged: it covers what was so before."""
        for written in self.writes:
            done = written.acknowledged
            if (
                written.device == device
                and done is not None
                and done <= submitted
                and written.durable is None
            ):
                written.durable = self.time
                self.durable += 1
