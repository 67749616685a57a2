"""Point-in-time images: which of a device's writes one holds, which it lacks, and where nobody can tell.

An image that was left behind is read from the disk (its bytes).  What a device showed when it began to be
mirrored, or left a mirror for its target, is in no file; it is the moment (a time of the scheduler), at
which the device showed what had been carried out by then.

An image *holds* a write if each piece of it shows that write or one that came after it, a discard
included; it *lacks* the write if some piece shows only what was there before.  In between is doubt: two
writes that were in flight together, zeroes where there were zeroes before.
"""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import attrs

from blockops.lab.history import Written
from blockops.lab.pieces import Piece

Instant: TypeAlias = bytes | int
"""The bytes of an image, or the moment at which the device showed it."""


@attrs.frozen
class Holding:
    """The writes that a point-in-time image holds for certain, and those that it lacks for certain."""

    held: tuple[Written, ...]
    lacked: tuple[Written, ...]


def holding(instant: Instant, writes: Sequence[Written], cut: Sequence[Piece], initial: bytes) -> Holding:
    """Return what the image holds of *writes*, all those to its device, which *cut* it into pieces."""
    if isinstance(instant, int):
        return Holding(
            tuple(w for w in writes if w.acknowledged is not None and w.acknowledged <= instant),
            tuple(w for w in writes if w.ended is None or w.ended > instant),
        )
    lacked: set[int] = set()
    doubted: set[int] = set()
    for piece in cut:
        for part in _matching(piece, instant, initial):
            _look(part, instant, initial, lacked, doubted)
    return Holding(
        tuple(w for w in writes if w.sequence not in lacked and w.sequence not in doubted),
        tuple(w for w in writes if w.sequence in lacked),
    )


def _matching(piece: Piece, data: bytes, initial: bytes) -> Iterator[Piece]:
    """Yield the piece, or its sectors where it shows no one thing as a whole."""
    if _untouched(piece, data, initial) or any(piece.shows(written, data) for written in piece.writes):
        yield piece
    else:
        yield from piece.parts()


def _untouched(piece: Piece, data: bytes, initial: bytes) -> bool:
    return data[piece.start : piece.end] == initial[piece.start : piece.end]


def _look(piece: Piece, data: bytes, initial: bytes, lacked: set[int], doubted: set[int]) -> None:
    shown = [written for written in piece.writes if piece.shows(written, data)]
    untouched = _untouched(piece, data, initial)
    for written in piece.writes:
        if all(one.precedes(written) for one in shown):
            lacked.add(written.sequence)
        elif untouched or not all(_certain(written, one) for one in shown):
            doubted.add(written.sequence)


def _certain(written: Written, shown: Written) -> bool:
    """Whether an image that shows *shown* cannot be older than *written*."""
    done = written.acknowledged
    return shown is written or (done is not None and done <= shown.submitted)
