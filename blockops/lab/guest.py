"""The guest: writers that keep several requests in flight, and the history of what they were promised.

The *chain* lane writes to the devices in turn, each write only after the one before was acknowledged
(log on d0, data on d1, …), with flushes in between.  One lane a device writes on its own besides, and
reads back what it wrote.  Every lane takes two steps a request: submit, then complete; while a request
queues at a closed gate its lane is blocked.  Lanes write to sectors of their own, so that at any time
at most one write to a sector is unacknowledged.

Sequence numbers run over all lanes; times are the scheduler's steps.
"""

from collections.abc import Callable, Generator
from typing import TypeAlias, TypeVar

import attrs

from blockops.device import Device, Operation, Request, RequestState
from blockops.errors import BlockError
from blockops.graph.graph import reading_path
from blockops.graph.node import ImageNode, Node
from blockops.lab.sectors import content_of
from blockops.lab.world import World
from blockops.units import SECTOR

T = TypeVar("T")

Lane: TypeAlias = Generator[Request | None, None, T]
"""A lane yields the request that it waits for, or None after progress."""


@attrs.define(eq=False)
class Written:
    """One write as the guest knows it: sectors [first, first + count) of device number *device*.

    *acknowledged* and *failed* are the times at which the guest learnt of it; *durable* is when a flush
    that covers it was acknowledged.
    """

    sequence: int
    device: int
    first: int
    count: int
    submitted: int
    acknowledged: int | None = None
    failed: int | None = None
    durable: int | None = None
    node: Node | None = None

    @property
    def sectors(self) -> range:
        return range(self.first, self.first + self.count)


@attrs.define(eq=False)
class Runner:
    """A lane on its way: what it waits for, and whether it has ended."""

    lane: Lane[None]
    awaits: Request | None = None
    ended: bool = False

    @property
    def blocked(self) -> bool:
        """Whether the lane cannot run: it has ended, or its request queues at a closed gate."""
        return self.ended or (self.awaits is not None and self.awaits.state is RequestState.QUEUED)

    def step(self) -> bool:
        """Take one step; return whether that was progress."""
        try:
            self.awaits = next(self.lane)
        except StopIteration:
            self.ended = True
            return False
        return self.awaits is None


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

    *misread* are reads that did not return what had just been acknowledged; *same_node* those of them
    where both requests went to the very same node, with the images that it reads from.
    """

    writes: list[Written] = attrs.field(factory=list)
    errors: list[GuestError] = attrs.field(factory=list)
    misread: list[str] = attrs.field(factory=list)
    same_node: list[tuple[str, tuple[str, ...]]] = attrs.field(factory=list)
    time: int = 0

    def submit(self, device: int, first: int, count: int) -> Written:
        """Note a write that is being submitted now."""
        written = Written(len(self.writes) + 1, device, first, count, self.time)
        self.writes.append(written)
        return written

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


@attrs.define(eq=False)
class Guest:
    """The lanes over the machine's devices; `active` is cleared when they shall submit no more."""

    world: World
    devices: tuple[Device, ...]
    say: Callable[..., None]
    history: History = attrs.field(factory=History)
    active: bool = True

    def rotation(self) -> list[Runner]:
        """Return whose turn it is, round and round: the chain lane's every other time."""
        chain = Runner(self._chain())
        lanes = [Runner(self._alone(number)) for number in range(len(self.devices))]
        return [runner for lane in lanes for runner in (chain, lane)]

    @property
    def _half(self) -> int:
        """The number of sectors that belong to the chain lane, at the front of each device."""
        return max(1, self.world.size // SECTOR // 2)

    def _chain(self) -> Lane[None]:
        turn = 0
        while self.active:
            device, lap = turn % len(self.devices), turn // len(self.devices)
            count = 1 + turn % self.world.workload.sectors
            yield from self._write(device, *_place(0, self._half, lap * 5, count))
            if turn % self.world.workload.flush_every == self.world.workload.flush_every - 1:
                yield from self._flush(device)
            turn += 1

    def _alone(self, device: int) -> Lane[None]:
        room = self.world.size // SECTOR - self._half
        turn = 0
        while self.active and room > 0:
            first, count = _place(self._half, room, turn * 7 + device, 2 - turn % 2)
            written = yield from self._write(device, first, count)
            if written.acknowledged is not None:
                yield from self._read_back(written)
            turn += 1

    def _write(self, device: int, first: int, count: int) -> Lane[Written]:
        written = self.history.submit(device, first, count)
        data = content_of(device, first, count, written.sequence)
        request = Request(Operation.WRITE, first * SECTOR, len(data), data)
        yield from self._carry_out(device, request, f"write {written.sequence} to sectors {first}+{count}")
        written.node = request.node
        if request.error is None:
            written.acknowledged = self.history.time
        else:
            written.failed = self.history.time
        return written

    def _flush(self, device: int) -> Lane[None]:
        submitted = self.history.time
        request = Request(Operation.FLUSH)
        yield from self._carry_out(device, request, "flush")
        if request.error is None:
            self.history.flushed(device, submitted)

    def _read_back(self, written: Written) -> Lane[None]:
        request = Request(Operation.READ, written.first * SECTOR, written.count * SECTOR)
        yield from self._carry_out(written.device, request, f"read sectors {written.first}+{written.count}")
        expected = content_of(written.device, written.first, written.count, written.sequence)
        if request.error is None and request.data != expected:
            sentence = f"d{written.device} did not return write {written.sequence}, acknowledged just before"
            self.history.misread.append(sentence)
            if request.node is written.node:
                images = [node for node in reading_path(request.node) if isinstance(node, ImageNode)]
                self.history.same_node.append((sentence, tuple(node.path for node in images)))

    def _carry_out(self, number: int, request: Request, what: str) -> Lane[None]:
        device = self.devices[number]
        device.submit(request)
        queued = request.state is RequestState.QUEUED
        self.say(device.name, ": ", what, " (queued)" if queued else "")
        yield None
        while request.state is RequestState.QUEUED:
            yield request
        if request.state is RequestState.IN_FLIGHT:
            device.complete(request)
        self._note(number, request, what)
        yield None

    def _note(self, number: int, request: Request, what: str) -> None:
        if request.error is None:
            self.say("d", number, ": ", what, ": done")
            return
        self.say("d", number, ": ", what, ": failed: ", request.error)
        self.history.errors.append(GuestError(self.history.time, number, request.operation, request.error))


def _place(start: int, room: int, offset: int, count: int) -> tuple[int, int]:
    """Return where a write of *count* sectors goes in [start, start + room), walking on with *offset*."""
    count = min(count, room)
    return start + offset % (room - count + 1), count
