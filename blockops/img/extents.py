"""Where a chain keeps each byte of the guest's disk: in which image, at which offset, or nowhere.

The layers are walked side by side, each of them forwards only, so a map takes no more memory than one L2
table a layer, and time in proportion to what is allocated.  What is said of a stretch is what QEMU's block
status says (include/block/block-common.h).
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import attrs

from blockops.img.clusters import Kind, Run, runs
from blockops.img.opening import Chain, Layer
from blockops.img.preallocation import is_preallocated


class Extent(NamedTuple):
    """*length* guest bytes from *start* of which the same is true.

    *depth*: the layer that decides, 0 is the top.  *present*: that layer says what they are, not the lack of
    a layer below.  *zero*: they read as zeros.  *data*: they have a place in a file.  *offset*: that place
    in the layer's file, where the bytes are there as they are.
    """

    start: int
    length: int
    depth: int
    present: bool
    zero: bool
    data: bool
    offset: int | None

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.start + self.length

    def as_json(self) -> dict[str, Any]:
        """Return the keys and values that qemu-img prints."""
        found = self._asdict()
        return found if self.offset is not None else {k: v for k, v in found.items() if k != "offset"}

    def follows(self, before: "Extent") -> bool:
        """Whether this and the one *before* it are one."""
        together = before.offset is None or self.offset == before.offset + before.length
        return before.end == self.start and together and before[2:6] == self[2:6] and _both(before, self)


def _both(one: Extent, other: Extent) -> bool:
    return (one.offset is None) == (other.offset is None)


def extents(
    chain: Chain, start: int = 0, end: int | None = None, *, floor: int | None = None
) -> Iterator[Extent]:
    """Yield what is between *start* and *end* (by default all), neighbours made one; errors as reading.

    The layers from *floor* on are not looked at: what they have to say is neither data nor zero.
    """
    stop = chain.size if end is None else min(end, chain.size)
    before: Extent | None = None
    for extent in _pieces(chain.layers, start, stop, floor):
        if before is None:
            before = extent
        elif extent.follows(before):
            before = before._replace(length=before.length + extent.length)
        else:
            yield before
            before = extent
    if before is not None:
        yield before


def _pieces(layers: Sequence[Layer], start: int, end: int, floor: int | None) -> Iterator[Extent]:
    cursors = [_Cursor(layer) for layer in layers[:floor]]
    # Ranges to look up, the next one last: what a layer does not have is looked up below it first.
    waiting = [(0, start, end)] if start < end else []
    while waiting:
        depth, start, end = waiting.pop()
        if depth == floor:
            yield Extent(start, end - start, depth, False, False, False, None)
            continue
        run = cursors[depth].take(start, end)
        stop = start + run.length
        if stop < end:
            waiting.append((depth, stop, end))
        below = layers[depth + 1].image.size if depth + 1 < len(layers) else 0
        if run.kind is Kind.UNALLOCATED and start < below:
            if below < stop:
                waiting.append((depth, below, stop))
            waiting.append((depth + 1, start, min(stop, below)))
        else:
            yield from cursors[depth].told(run, depth)


@attrs.define
class _Cursor:
    """The runs of one layer, asked for in ascending order."""

    _layer: Layer
    _runs: Iterator[Run] = attrs.field(init=False)
    _run: Run = attrs.field(init=False)
    _preallocated: bool | None = attrs.field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self._runs = layer_runs(self._layer)
        self._run = Run(0, 0, Kind.UNALLOCATED, None)

    def take(self, start: int, end: int) -> Run:
        """Return the beginning of what is between *start* and *end*: one run."""
        run = self._run
        while run.start + run.length <= start:
            run = self._run = next(self._runs)
        inside = start - run.start
        host = None if run.host is None else run.host + inside
        return Run(start, min(end - start, run.length - inside), run.kind, host)

    def told(self, run: Run, depth: int) -> Iterator[Extent]:
        """Yield what is true of *run*; where a preallocated file is a hole, it is zero."""
        if self._layer.header is None:
            hole = run.kind is Kind.ZERO
            yield Extent(run.start, run.length, depth, True, hole, not hole, run.host)
        elif run.kind is Kind.DATA and run.host is not None and self._is_preallocated():
            yield from self._written(run, run.host, depth)
        else:
            yield _told(run, depth)

    def _is_preallocated(self) -> bool:
        if self._preallocated is None:
            header = self._layer.header
            inside = self._layer.data is self._layer.file
            self._preallocated = header is not None and inside and is_preallocated(self._layer.file, header)
        return self._preallocated

    def _written(self, run: Run, host: int, depth: int) -> Iterator[Extent]:
        file, done = self._layer.file, 0
        size = file.size()
        while done < run.length:
            there = host + done < size
            data, stop = file.stretch(host + done) if there else (False, host + run.length)
            length = min(stop - host, run.length) - done
            yield Extent(run.start + done, length, depth, True, not data, True, host + done)
            done += length


def _told(run: Run, depth: int) -> Extent:
    data = run.kind in (Kind.DATA, Kind.COMPRESSED)
    present = run.kind is not Kind.UNALLOCATED
    return Extent(run.start, run.length, depth, present, not data, data, run.host)


def layer_runs(layer: Layer) -> Iterator[Run]:
    """Yield the runs of one image from its first byte to its last."""
    if layer.header is not None:
        yield from runs(layer.file, layer.header)
        return
    start, size, end = 0, layer.image.size, layer.file.size()
    while start < size:
        data, stop = layer.file.stretch(start) if start < end else (False, size)
        # What the file lacks of its last sector belongs to what is before it.
        stop = size if stop >= end else stop
        yield Run(start, stop - start, Kind.DATA if data else Kind.ZERO, start)
        start = stop
