"""Hanging an image over another backing file.

Safe: what the image does not hold itself, and what the new backing file shows differently, is copied into
the image first, cluster by cluster; then the header is changed, so an interruption costs space and
nothing else.  Unsafe: the header alone is changed, and the user knows that both show the same.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Final

import attrs

from blockops.errors import InvalidRequest
from blockops.graph.formats import probe
from blockops.host.posix import PosixFolder
from blockops.img.aligned import padded, side_by_side
from blockops.img.backing import name_backing
from blockops.img.compare import same_place
from blockops.img.extents import Extent, extents
from blockops.img.names import below
from blockops.img.opening import Chain, open_chain
from blockops.img.reading import PIECE, in_pieces, part, read_extent
from blockops.img.target import held
from blockops.qcow2.image import Qcow2Image

_ZEROS: Final = memoryview(bytes(PIECE))

Progress = Callable[[int, int], None]


def rebase(
    folder: PosixFolder,
    filename: str,
    backing: str | None,
    backing_format: str | None,
    format: str | None = None,
    *,
    unsafe: bool = False,
    progress: Progress | None = None,
) -> None:
    """Let *filename* have another backing file, or none, and show what it showed before; all is durable.

    *unsafe*: its contents are not looked at.  Raises `InvalidRequest`, `UnsupportedFeature`, `ImageError`,
    `HostError`; then the old backing file is the one that counts.
    """
    if backing and backing_format is None:
        raise InvalidRequest(filename, f"the format of its new backing file '{backing}' has to be given")
    name, known = backing or None, backing_format if backing else None
    if unsafe:
        with held(folder, filename) as file:
            _refuse_raw(filename, probe(file) if format is None else format)
            name_backing(file, name, known)
        return
    with open_chain(folder, filename, format, writable=True) as chain:
        image = chain.top.image
        _refuse_raw(filename, chain.top.format)
        assert isinstance(image, Qcow2Image)
        with _new_backing(folder, chain, name, known) as new:
            _keep_contents(chain, image, new, progress)
        image.flush()
        name_backing(chain.top.file, name, known)


def _refuse_raw(filename: str, format: str) -> None:
    if format == "raw":
        raise InvalidRequest(filename, "a raw image has no backing file")


@contextlib.contextmanager
def _new_backing(
    folder: PosixFolder, chain: Chain, backing: str | None, format: str | None
) -> Iterator[Chain | None]:
    if backing is None:
        yield None
        return
    name = below(chain.top.filename, backing)
    if folder.follow(name) == folder.follow(chain.top.filename):
        raise InvalidRequest(chain.top.filename, "an image cannot be its own backing file")
    # Were the image below its new backing file, the lock that we hold on it would be in the way.
    with open_chain(folder, name, format) as new:
        yield new


def _keep_contents(chain: Chain, image: Qcow2Image, new: Chain | None, progress: Progress | None) -> None:
    """Copy into *image* what it shows of its old backing file and the *new* one shows differently."""
    below = Chain(chain.layers[1:]) if len(chain.layers) > 1 else None
    old, other = _Side(below), _Side(new)
    maps = (extents(chain, floor=1), padded(below, chain.size), padded(new, chain.size))
    for start, stop, (own, left, right) in side_by_side(maps):
        if own.depth == 1 or not own.present:
            _keep(image, old, part(left, start, stop), other, part(right, start, stop))
        if progress is not None:
            progress(stop, chain.size)


@attrs.frozen
class _Side:
    """A backing file, or none, which reads as zeros."""

    chain: Chain | None

    def read(self, extent: Extent) -> bytes | memoryview:
        """Return the bytes of an extent of no more than one piece."""
        if extent.zero or self.chain is None:
            return _ZEROS[: extent.length]
        return read_extent(self.chain, extent)


def _keep(image: Qcow2Image, old: _Side, left: Extent, new: _Side, right: Extent) -> None:
    if left.zero and right.zero:
        return
    if old.chain is not None and new.chain is not None and same_place(old.chain, left, new.chain, right):
        return
    for start, stop in in_pieces(left.start, left.end):
        mine, other = old.read(part(left, start, stop)), new.read(part(right, start, stop))
        if mine != other:
            _write_different(image, start, memoryview(mine), memoryview(other), zero=left.zero)


def _write_different(
    image: Qcow2Image, start: int, mine: memoryview, other: memoryview, *, zero: bool
) -> None:
    """Write those clusters of *mine*, at *start*, that are not as in *other*."""
    size = image.header.geometry.cluster_size
    for first, stop in in_pieces(start, start + len(mine), size):
        data = mine[first - start : stop - start]
        if data == other[first - start : stop - start]:
            continue
        if zero:
            image.write_zeroes(first, stop - first)
        else:
            image.write(first, data)
