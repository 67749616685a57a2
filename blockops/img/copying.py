"""The way of the bytes of one image into another: along the map, window after window."""

from collections.abc import Callable, Iterator, Sequence

import attrs

from blockops.img.extents import extents
from blockops.img.opening import Chain, Layer
from blockops.img.windows import Cutter, Grain, Window
from blockops.img.writing import Qcow2Target, RawTarget, Target, write_zeros
from blockops.qcow2.image import Qcow2Image
from blockops.units import KIB, SECTOR, round_up

Progress = Callable[[int, int], None]


@attrs.frozen
class Copying:
    """How an image is copied.

    *sparse*: so many zero bytes in a row are not written; 0 writes everything.  *compress*: qcow2 clusters.
    *durable*: it is on the disk when it has its name.  *zeroed*: an image that is there reads as zeros.
    """

    sparse: int = 4 * KIB
    compress: bool = False
    durable: bool = False
    zeroed: bool = False


def old_target(layer: Layer, how: Copying) -> Target:
    """Return an open image that was there before as a target."""
    image = layer.image
    if isinstance(image, Qcow2Image):
        return Qcow2Target(image, empty=how.zeroed, compress=how.compress)
    return RawTarget(layer.file, empty=how.zeroed)


def copy_all(
    sources: Sequence[Chain],
    target: Target,
    how: Copying,
    *,
    floor: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Copy open images behind each other; of each only what its layers above *floor* say."""
    total, base = sum(chain.size for chain in sources), 0
    for chain in sources:
        copy = _Copy(chain, target, how, Grain(round_up(how.sparse or SECTOR, target.grain)), base)
        for end in copy.run(floor):
            if progress is not None:
                progress(base + end, total)
        base += chain.size


@attrs.frozen
class _Copy:
    """One source on its way to *base* of the target."""

    chain: Chain
    target: Target
    how: Copying
    grain: Grain
    base: int

    def run(self, floor: int | None) -> Iterator[int]:
        """Copy window after window, yielding where each ends."""
        wanted = (one for one in extents(self.chain, floor=floor) if one.depth != floor)
        for window in Cutter(self.target.grain, self.base).windows(wanted):
            if not window.zero:
                self._copy(window)
            elif self.how.sparse:
                self.target.zero(self.base + window.start, window.end - window.start)
            else:
                write_zeros(self.target, self.base + window.start, window.end - window.start)
            yield window.end

    def _copy(self, window: Window) -> None:
        data, start = window.read(self.chain), self.base + window.start
        if not self.how.sparse:
            self.target.write(start, memoryview(data))
            return
        view = memoryview(data)
        for first, end, zero in self.grain.split(start, data):
            if zero:
                self.target.zero(start + first, end - first)
            else:
                self.target.write(start + first, view[first:end])
