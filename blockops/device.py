"""The guest's disk: requests in flight, and the gate that holds them back.

A request is submitted, then completed.  While the gate is open a submitted request starts at once: it
is bound to the node that the device shows at that moment, and stays bound to it, whatever the device
shows by the time it completes.  That is why whoever swaps the node must drain first.  While the gate is
closed requests queue; when it opens again they start in the order in which they came.

Requests in flight have no order among them, also where they overlap: the guest knows of one only that it
came after another if it submitted it after the other's completion.  A request is carried out at once when
it completes.  A disk writes whole sectors: of a write that begins or ends inside a sector the rest of
that sector is read when the write is carried out, and written with it (`bdrv_pwrite` of 2012 did so);
so writes in flight to different bytes of one sector do not undo each other.

Several parties may hold the gate closed at once, each for its own reason: a drain (internal, brief), a
freeze (management's, unbounded), a stopped guest.  It opens when nobody holds it.
"""

import enum
from collections import deque
from collections.abc import Callable, Iterable

import attrs

from blockops.errors import BlockError, DeviceHasNoMedium, DeviceNotFound, InvalidRequest, UndefinedError
from blockops.graph.graph import Graph
from blockops.graph.node import Node
from blockops.steps import Phase, Step, Steps
from blockops.units import SECTOR, round_down, round_up


class Operation(enum.Enum):
    """What a guest can ask of its disk."""

    READ = "read"
    WRITE = "write"
    WRITE_ZEROES = "write zeroes"
    DISCARD = "discard"
    FLUSH = "flush"


class RequestState(enum.Enum):
    """Where a request stands."""

    NEW = "new"
    QUEUED = "queued"
    IN_FLIGHT = "in flight"
    DONE = "done"


class Hold(enum.Enum):
    """Why a gate is closed."""

    DRAIN = "drain"
    FREEZE = "freeze"
    STOP = "stop"


@attrs.define(eq=False)
class Request:
    """One request of the guest: *offset* and *length* in bytes, *data* for a write.

    When it is done, *data* holds what a read returned, or *error* says why it failed.  *fua* (force unit
    access): a write or zeroes that is done without an error is durable.  As QEMU does for images that
    know no such thing, the node is flushed after the write (hw/scsi-disk.c of 1.2, `scsi_write_do_fua`);
    where the flush fails the request fails, and what it wrote is there, durable or not.
    """

    operation: Operation
    offset: int = 0
    length: int = 0
    data: bytes = b""
    fua: bool = False
    state: RequestState = RequestState.NEW
    error: BlockError | None = None
    node: Node | None = None


_FORCED = frozenset({Operation.WRITE, Operation.WRITE_ZEROES})


@attrs.define(eq=False)
class Device:
    """A disk of the machine, on top of the node that `graph` says it shows.

    *read_only*: the guest may not write.  *user*: who has reserved the device (a job, a transaction), or
    None; commands of others refuse it then.  *write_through*: there is no volatile write cache, every
    write is forced (QEMU's cache=writethrough; discards are not).  *unplugged*: the machine no longer has
    it, and every request fails.
    """

    name: str
    graph: Graph
    read_only: bool = False
    user: str | None = None
    unplugged: bool = False
    in_flight: list[Request] = attrs.field(factory=list)
    queue: deque[Request] = attrs.field(factory=deque)
    holds: list[Hold] = attrs.field(factory=list)
    write_through: bool = False

    @property
    def top(self) -> Node | None:
        """The node that the device shows; None without a medium."""
        return self.graph.tops.get(self.name)

    @property
    def medium(self) -> Node:
        """The node that the device shows; raises `DeviceHasNoMedium` where there is none."""
        top = self.top
        if top is None:
            raise DeviceHasNoMedium(self.name)
        return top

    @property
    def frozen(self) -> bool:
        return Hold.FREEZE in self.holds

    def submit(self, request: Request) -> None:
        """Hand in a request: it starts, or queues while the gate is closed."""
        if self.unplugged:
            self._fail(request)
        elif self.holds:
            request.state = RequestState.QUEUED
            self.queue.append(request)
        else:
            self._start(request)

    def complete(self, request: Request) -> None:
        """Carry out a request that is in flight and take it off the list; its fields say how it went."""
        assert request.state is RequestState.IN_FLIGHT, (
            f"a request that is {request.state.value} was completed"
        )
        try:
            self._check(request)
            perform(request)
        except BlockError as error:
            request.error = error
        request.state = RequestState.DONE
        self.in_flight.remove(request)

    def complete_next(self) -> None:
        """Complete the oldest request in flight."""
        self.complete(self.in_flight[0])

    def close_gate(self, hold: Hold) -> None:
        """Start no further request until this hold is released."""
        self.holds.append(hold)

    def open_gate(self, hold: Hold) -> None:
        """Release one such hold; if it was the last, start what is queued, in order."""
        self.holds.remove(hold)
        while self.queue and not self.holds:
            self._start(self.queue.popleft())

    def unplug(self) -> None:
        """Fail what is in flight or queued, and all that is still to come."""
        self.unplugged = True
        for request in (*self.in_flight, *self.queue):
            self._fail(request)
        self.in_flight.clear()
        self.queue.clear()

    def freeze(self) -> Steps[None]:
        """Hold back new requests and let those in flight finish; they queue, unbounded in time.

        Freezing a frozen device is an error: two managers must not release each other's freeze
        (our choice: no freeze code survives).
        """
        if self.frozen:
            raise UndefinedError(f"Device '{self.name}' is already frozen")
        self.close_gate(Hold.FREEZE)
        yield from self.settled()

    def unfreeze(self) -> None:
        """Release the queue, in order."""
        if not self.frozen:
            raise UndefinedError(f"Device '{self.name}' is not frozen")
        self.open_gate(Hold.FREEZE)

    def settled(self) -> Steps[None]:
        """Wait until nothing is in flight."""
        while self.in_flight:
            yield Step(Phase.DRAIN, self.name, waits_for=self)
        yield Step(Phase.DRAIN, self.name)

    def do(self, request: Request) -> bytes:
        """Carry out a request at once, as a caller without a scheduler does; return what was read.

        Raises the request's error, or `InvalidRequest` where the gate is closed and it would never end.
        """
        if self.holds:
            raise InvalidRequest(
                f"device '{self.name}'", f"requests are held back by a {self.holds[0].value}"
            )
        self.submit(request)
        self.complete(request)
        if request.error is not None:
            raise request.error
        return request.data

    def read(self, offset: int, length: int) -> bytes:
        """Return *length* bytes from *offset*."""
        return self.do(Request(Operation.READ, offset, length))

    def write(self, offset: int, data: bytes) -> None:
        """Write *data* at *offset*."""
        self.do(Request(Operation.WRITE, offset, len(data), data))

    def flush(self) -> None:
        """Make every acknowledged write durable."""
        self.do(Request(Operation.FLUSH))

    def _fail(self, request: Request) -> None:
        request.state, request.error = RequestState.DONE, DeviceNotFound(self.name)

    def _start(self, request: Request) -> None:
        request.state = RequestState.IN_FLIGHT
        request.node = self.top
        request.fua = request.fua or (self.write_through and request.operation in _FORCED)
        self.in_flight.append(request)

    def _check(self, request: Request) -> None:
        if request.node is None:
            raise DeviceHasNoMedium(self.name)
        writes = request.operation not in (Operation.READ, Operation.FLUSH)
        if writes and (self.read_only or not request.node.writable):
            raise InvalidRequest(f"device '{self.name}'", "it is read-only")


def perform(request: Request) -> None:
    """Carry out *request* on the node that it is bound to."""
    assert request.node is not None
    _PERFORM[request.operation](request.node, request)
    if request.fua:
        request.node.flush()


def _read(node: Node, request: Request) -> None:
    request.data = node.read(request.offset, request.length)


def _write(node: Node, request: Request) -> None:
    offset, data = request.offset, request.data
    if offset % SECTOR or (offset + len(data)) % SECTOR:
        offset, data = _whole_sectors(node, offset, data)
    node.write(offset, data)


def _whole_sectors(node: Node, offset: int, data: bytes) -> tuple[int, bytes]:
    """Return the write with what is around it in its sectors; one outside of the disk stays as it is."""
    end = offset + len(data)
    start, stop = round_down(offset, SECTOR), min(round_up(end, SECTOR), node.size)
    if not data or start < 0 or stop < end:
        return offset, data
    head = node.read(start, offset - start) if start < offset else b""
    tail = node.read(end, stop - end) if end < stop else b""
    return start, b"".join((head, data, tail))


_PERFORM: dict[Operation, Callable[[Node, Request], None]] = {
    Operation.READ: _read,
    Operation.WRITE: _write,
    Operation.WRITE_ZEROES: lambda node, request: node.write_zeroes(request.offset, request.length),
    Operation.DISCARD: lambda node, request: node.discard(request.offset, request.length),
    Operation.FLUSH: lambda node, request: node.flush(),
}


def drain(devices: Iterable[Device]) -> Steps[None]:
    """Close the gate of each device, then wait until nothing is in flight on any of them.

    What the caller closed he opens with `resume`.
    """
    held = list(devices)
    for device in held:
        device.close_gate(Hold.DRAIN)
    for device in held:
        yield from device.settled()


def resume(devices: Iterable[Device]) -> None:
    """End a drain: start what has queued, in order."""
    for device in devices:
        device.open_gate(Hold.DRAIN)
