"""The oracle for the guest's data: what each stretch of a device may show, and what it does show.

A device is cut at the edges of all writes to it, so that every write covers a *piece* whole or not at
all; a piece that no write touched is whatever it was.  Of the writes to a piece

    a write may show    unless one that came after it, as its submission says, has been promised
    the initial data    may show as long as no write was promised
    whatever else       may never show

where *promised* is acknowledged or, after a crash, durable.  Writes that were in flight together may
win either way.  A write of several sectors need not be there as a whole while nothing is promised: where
a piece does not match as a whole, its sectors are looked at one by one.
"""

from collections.abc import Callable, Iterator, Sequence

import attrs

from blockops.lab.history import Written
from blockops.units import SECTOR, round_down

Promised = Callable[[Written], bool]
"""Whether a write was promised to stay."""


@attrs.frozen(eq=False)
class Piece:
    """Bytes [start, end) of a device, and the writes that cover them, in the order of submission."""

    start: int
    end: int
    writes: tuple[Written, ...] = ()

    def latest(self, promised: Promised) -> Written | None:
        """Return the promised write that was submitted last, None where none was promised."""
        for written in reversed(self.writes):  # a plain loop: this is asked of every piece of every case
            if promised(written):
                return written
        return None

    def after(self, latest: Written | None) -> tuple[Written, ...]:
        """Return the writes that may show where *latest* was promised: those that do not precede it."""
        if latest is None:
            return self.writes
        return tuple(written for written in self.writes if not written.precedes(latest))

    def within(self, start: int, end: int) -> "Piece":
        """Return the part of it in [start, end), of which there is some."""
        return Piece(max(start, self.start), min(end, self.end), self.writes)

    def parts(self) -> Iterator["Piece"]:
        """Yield the piece sector by sector."""
        start = self.start
        while start < self.end:
            stop = min(round_down(start, SECTOR) + SECTOR, self.end)
            yield Piece(start, stop, self.writes)
            start = stop

    def shows(self, written: Written, data: bytes) -> bool:
        """Whether *data*, the whole device's, has the bytes of *written* here."""
        offset = written.start
        return data[self.start : self.end] == written.data[self.start - offset : self.end - offset]


def pieces(writes: Sequence[Written], size: int) -> list[Piece]:
    """Cut a device of *size* bytes at the edges of *writes*, all that were submitted to it."""
    inside = [written for written in writes if written.end <= size]
    edges = {0, size}
    for written in inside:
        edges.add(written.start)
        edges.add(written.end)
    cuts = sorted(edges)
    place = {cut: number for number, cut in enumerate(cuts)}
    covering: list[list[Written]] = [[] for _ in cuts]
    for written in inside:
        for number in range(place[written.start], place[written.end]):
            covering[number].append(written)
    return [Piece(start, cuts[n + 1], tuple(covering[n])) for n, start in enumerate(cuts[:-1])]


@attrs.frozen
class Deviation:
    """A piece that shows what it may not: *found* is what it shows, None for bytes that nobody wrote."""

    piece: Piece
    found: str | None
    allowed: tuple[str, ...]


def deviations(cut: Sequence[Piece], data: bytes, initial: bytes, promised: Promised) -> Iterator[Deviation]:
    """Yield every piece of *cut* that shows in *data* what it may not."""
    for piece in cut:
        latest = piece.latest(promised)
        allowed = piece.after(latest)
        if not _fits(piece, allowed, latest is None, data, initial):
            for part in piece.parts():
                if not _fits(part, allowed, latest is None, data, initial):
                    names = [name_of(written) for written in allowed]
                    untouched = [INITIAL] if latest is None else []
                    yield Deviation(part, identified(part, data, initial), (*untouched, *names))


def _fits(piece: Piece, allowed: Sequence[Written], untouched: bool, data: bytes, initial: bytes) -> bool:
    found = data[piece.start : piece.end]
    for written in reversed(allowed):
        offset = written.start
        if found == written.data[piece.start - offset : piece.end - offset]:
            return True
    return untouched and found == initial[piece.start : piece.end]


INITIAL = "its initial content"


def name_of(written: Written) -> str:
    """Return what a reader calls a write: "write 7", "discard 9"."""
    return f"{written.operation.value} {written.sequence}"


def identified(piece: Piece, data: bytes, initial: bytes) -> str | None:
    """Return by its name what a piece shows, None where nobody wrote that."""
    for written in reversed(piece.writes):
        if piece.shows(written, data):
            return name_of(written)
    return INITIAL if data[piece.start : piece.end] == initial[piece.start : piece.end] else None
