"""The guest: programmes that keep several requests in flight, on one device and across devices.

    chain    writes to the devices in turn, each write only after the one before was acknowledged
    commit   what a database does: a log record on one device, FUA; the data on the next device, flushed;
             the commit mark on the first, FUA.  Each only after the other's acknowledgement.  With one
             device all of it is there; with more it goes round.
    own      one for each device: several requests in flight at once to sectors that overlap, which end
             in this order or that; every few rounds one of them, the first or another, is a discard or asks
             for zeroes.
             Then it reads back what it wrote.

Log records, commit marks and overlapping writes begin and end inside sectors, where the workload says so.
A request takes two steps, submit and complete; while it queues at a closed gate its lane is blocked, but
a lane with another request in flight goes on with that.
"""

from collections.abc import Callable, Generator, Iterator
from typing import TypeAlias, TypeVar

import attrs

from blockops.device import Device, Operation, Request, RequestState
from blockops.graph.graph import reading_path
from blockops.graph.node import ImageNode, Node
from blockops.lab.history import GuestError, History, Written
from blockops.lab.pieces import deviations, name_of, pieces
from blockops.lab.sectors import marked
from blockops.lab.world import Workload, World
from blockops.units import SECTOR, round_down

T = TypeVar("T")

Lane: TypeAlias = Generator[Request | None, None, T]
"""A lane yields the request that it waits for, or None after progress."""


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


@attrs.define(eq=False)
class Errand:
    """A request on its way, with what the guest calls it; *written* where it changes the disk."""

    device: int
    request: Request
    what: str
    submitted: int
    written: Written | None = None


@attrs.frozen
class Area:
    """Bytes [start, end) of a device, whole sectors, that a lane writes to."""

    start: int
    end: int

    @property
    def sectors(self) -> int:
        return (self.end - self.start) // SECTOR

    def split(self) -> tuple["Area", "Area"]:
        """Return the two halves; of a single sector both are the whole."""
        if self.sectors < 2:
            return self, self
        middle = self.start + self.sectors // 2 * SECTOR
        return Area(self.start, middle), Area(middle, self.end)

    def sectors_at(self, turn: int, count: int) -> "Area":
        """Return where *count* sectors go, walking on with *turn*."""
        count = min(count, self.sectors)
        start = self.start + turn % (self.sectors - count + 1) * SECTOR
        return Area(start, start + count * SECTOR)

    def shrunk(self, margin: int) -> "Area":
        """Return what is left without *margin* bytes at either end, all of it where nothing would be."""
        start, end = self.start + margin, self.end - margin
        return Area(start, end) if start < end else self

    def record_at(self, number: int, length: int) -> "Area":
        """Return where record *number* of a log goes whose records lie side by side, round and round."""
        start = self.start + number % ((self.end - self.start) // length) * length
        return Area(start, start + length)

    def cluster_around(self, offset: int, cluster_size: int) -> "Area":
        """Return the part of the cluster around *offset* that is in here."""
        start = round_down(offset, cluster_size)
        return Area(max(start, self.start), min(start + cluster_size, self.end))


@attrs.define(eq=False)
class Guest:
    """The lanes over the machine's devices; `active` is cleared when they shall submit no more."""

    world: World
    devices: tuple[Device, ...]
    say: Callable[..., None]
    history: History = attrs.field(factory=History)
    active: bool = True

    @property
    def workload(self) -> Workload:
        return self.world.workload

    def rotation(self) -> list[Runner]:
        """Return whose turn it is, round and round: the chain lane's every other time.

        A skew between two devices shows only where a lane gets from one to the other in between.
        """
        chain, commit = Runner(self._chain()), Runner(self._commit())
        own = [Runner(self._own(number)) for number in range(len(self.devices))]
        return [runner for lane in own for runner in (chain, lane, chain, commit)]

    # ---------------------------------------------------------------------------------------- the lanes

    @property
    def _halves(self) -> tuple[Area, Area]:
        """The part of each device for its own lane, which has data to discard, and that for the others."""
        sizes = [device.top.size for device in self.devices if device.top is not None]
        return Area(0, round_down(min([self.world.size, *sizes]), SECTOR)).split()

    def _chain(self) -> Lane[None]:
        area, _ = self._halves[1].split()
        turn = 0
        while self.active:
            device, lap = turn % len(self.devices), turn // len(self.devices)
            place = area.sectors_at(lap * 5, 1 + turn % self.workload.sectors)
            yield from self._write(device, place)
            if turn % self.workload.flush_every == self.workload.flush_every - 1:
                yield from self._flush(device)
            turn += 1

    def _commit(self) -> Lane[None]:
        turn = 0
        while self.active:
            yield from self._transaction(turn)
            turn += 1

    def _transaction(self, turn: int) -> Lane[None]:
        """Log, store, mark; where one of them fails the transaction ends there."""
        log, tables = self._halves[1].split()[1].split()
        first, second = turn % len(self.devices), (turn + 1) % len(self.devices)
        record = self.workload.record
        if not (yield from self._write(first, log.record_at(2 * turn, record), fua=True)):
            return
        place = tables.sectors_at(turn * 3, 1 + turn % self.workload.sectors)
        stored = yield from self._write(second, place)
        if stored and self.active and (yield from self._flush(second)):
            yield from self._write(first, log.record_at(2 * turn + 1, record), fua=True)

    def _own(self, device: int) -> Lane[None]:
        area = self._halves[0]
        turn = 0
        while self.active:
            place = area.sectors_at(turn * 7 + device, 2)
            flying = []
            for number in range(self.workload.in_flight):
                flying.append(self._overlapping(device, area, place, turn, number))
                yield None
            yield from self._let_end(flying, newest_first=(turn + device) % 2 == 0)
            yield from self._read(device, place)
            turn += 1

    def _overlapping(self, device: int, area: Area, place: Area, turn: int, number: int) -> Errand:
        """Submit the *number*-th of the requests that are in flight together."""
        every = self.workload.discard_every
        if every and turn % every == 0 and number == (turn // every + device) % self.workload.in_flight:
            kind = Operation.WRITE_ZEROES if turn // every % 2 else Operation.DISCARD
            return self._submit_write(device, area.cluster_around(place.start, self.world.cluster_size), kind)
        return self._submit_write(device, place.shrunk(self.workload.shift * number))

    # ------------------------------------------------------------------------------------- the requests

    def _write(self, device: int, place: Area, *, fua: bool = False) -> Lane[bool]:
        """Write, wait, and return whether it was acknowledged."""
        errand = self._submit_write(device, place, fua=fua)
        yield None
        yield from self._let_end([errand])
        return errand.request.error is None

    def _flush(self, device: int) -> Lane[bool]:
        errand = self._submit(device, Request(Operation.FLUSH), "flush")
        yield None
        yield from self._let_end([errand])
        return errand.request.error is None

    def _read(self, device: int, place: Area) -> Lane[None]:
        request = Request(Operation.READ, place.start, place.end - place.start)
        errand = self._submit(device, request, f"read {_named(place)}")
        yield None
        yield from self._let_end([errand])

    def _submit_write(
        self, device: int, place: Area, operation: Operation = Operation.WRITE, *, fua: bool = False
    ) -> Errand:
        length = place.end - place.start
        plain = operation is Operation.WRITE
        data = marked(device, place.start, length, self.history.next_sequence()) if plain else bytes(length)
        written = self.history.submit(device, place.start, data, operation)
        request = Request(operation, place.start, length, data if plain else b"", fua)
        what = f"{name_of(written)}{' (FUA)' if fua else ''} to {_named(place)}"
        return self._submit(device, request, what, written)

    def _submit(self, number: int, request: Request, what: str, written: Written | None = None) -> Errand:
        self.devices[number].submit(request)
        queued = request.state is RequestState.QUEUED
        self.say(self.devices[number].name, ": ", what, " (queued)" if queued else "")
        return Errand(number, request, what, self.history.time, written)

    def _let_end(self, flying: list[Errand], newest_first: bool = False) -> Lane[None]:
        """Complete what is in flight, one a step, until all is done; wait for what still queues."""
        while flying:
            ready = [errand for errand in flying if errand.request.state is not RequestState.QUEUED]
            if not ready:
                yield flying[0].request
                continue
            errand = ready[-1] if newest_first else ready[0]
            flying.remove(errand)
            self._complete(errand)
            yield None

    def _complete(self, errand: Errand) -> None:
        request, now = errand.request, self.history.time
        if request.state is RequestState.IN_FLIGHT:
            self.devices[errand.device].complete(request)
        if request.error is not None:
            self.say("d", errand.device, ": ", errand.what, ": failed: ", request.error)
            self.history.errors.append(GuestError(now, errand.device, request.operation, request.error))
        else:
            self.say("d", errand.device, ": ", errand.what, ": done")
        if errand.written is not None:
            self._note_written(errand.written, request)
        elif request.error is None and request.operation is Operation.FLUSH:
            self.history.flushed(errand.device, errand.submitted)
        elif request.error is None:
            self._compare(errand)

    def _note_written(self, written: Written, request: Request) -> None:
        written.node = request.node
        if request.error is not None:
            self.history.failed(written)
            return
        self.history.acknowledged(written, durable=request.fua)
        written.binding = request.operation is not Operation.DISCARD or _keeps_discards(request.node)

    def _compare(self, errand: Errand) -> None:
        """Note where a read did not return what had been acknowledged when it was submitted."""
        request = errand.request
        start, end = request.offset, request.offset + request.length

        def promised(written: Written) -> bool:
            done = written.acknowledged
            return written.binding and done is not None and done <= errand.submitted

        cut = pieces(self.history.touching(errand.device, start, end), self.world.size)
        read = [piece.within(start, end) for piece in cut if piece.start < end and start < piece.end]
        known = [piece for piece in read if piece.latest(promised) is not None]
        for wrong in deviations(known, bytes(start) + request.data, b"", promised):
            self._misread(wrong.piece.latest(promised), request)

    def _misread(self, written: Written | None, request: Request) -> None:
        assert written is not None, "only what was promised can be misread"
        sentence = f"d{written.device} did not return {name_of(written)}, acknowledged before"
        self.history.misread.append(sentence)
        if request.node is written.node:
            images = [node for node in reading_path(request.node) if isinstance(node, ImageNode)]
            self.history.same_node.append((sentence, tuple(node.path for node in images)))


def _keeps_discards(node: Node | None) -> bool:
    """Whether what is discarded there reads as zeroes: a raw image may go on showing the data."""
    return node is not None and all(image.format != "raw" for image in _written_images(node))


def _written_images(node: Node) -> Iterator[ImageNode]:
    """Yield the images that a write to *node* goes to: of a filter both legs."""
    if isinstance(node, ImageNode):
        yield node
        return
    for leg in node.below:
        yield from _written_images(leg)


def _named(place: Area) -> str:
    first, inside = divmod(place.start, SECTOR)
    length = place.end - place.start
    if inside or length % SECTOR:
        return f"{length} bytes from byte {inside} of sector {first}"
    return f"sectors {first}+{length // SECTOR}"
