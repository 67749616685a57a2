"""Writing what an overlay holds into an image below it.

The image below gets all, durably, before the overlay is emptied; an interruption in between leaves both
with the same contents.  An overlay that is emptied is replaced by a new, empty one of the same kind.
"""

import attrs

from blockops.errors import InvalidRequest, UnsupportedFeature
from blockops.host.posix import PosixFolder
from blockops.img.copying import Copying, Progress, copy_all, old_target
from blockops.img.create import write_empty
from blockops.img.opening import Chain, open_chain
from blockops.img.options import ImageOptions
from blockops.img.target import held, replacing
from blockops.qcow2.features import COMPRESSION_TYPES
from blockops.qcow2.header import BACKING_FORMAT, FEATURE_NAMES, LAZY_REFCOUNTS, Header
from blockops.units import SECTOR, round_up


@attrs.frozen
class Committed:
    """What a commit has done: *grown* says that the image below became as long as the overlay."""

    base: str
    grown: bool
    emptied: bool


def commit(
    folder: PosixFolder,
    filename: str,
    base: str | None = None,
    format: str | None = None,
    *,
    keep: bool = False,
    progress: Progress | None = None,
) -> Committed:
    """Write what *filename* shows and *base* does not into *base*, by default the image right below.

    Then the overlay is emptied, unless told to *keep* it or *base* was named; images in between no longer
    fit what is below them.  Raises `InvalidRequest`, `UnsupportedFeature`, `ImageError`, `HostError`.
    """
    emptied = base is None and not keep
    # The overlay stays ours all the time; the rest is locked from the base on down.
    with held(folder, filename), open_chain(folder, filename, format, force_share=True) as chain:
        depth = _depth(folder, chain, base)
        if emptied:
            _refuse_emptying(chain)
        grown = _write_down(folder, chain, depth, progress)
        if emptied:
            _empty(folder, chain)
        return Committed(chain.layers[depth].filename, grown, emptied)


def _depth(folder: PosixFolder, chain: Chain, base: str | None) -> int:
    if len(chain.layers) == 1:
        raise InvalidRequest(chain.top.filename, "it has no backing file")
    if base is None:
        return 1
    for depth, layer in enumerate(chain.layers[1:], 1):
        if base == layer.filename or folder.follow(base) == folder.follow(layer.filename):
            return depth
    raise InvalidRequest(chain.top.filename, f"'{base}' is not in its backing chain")


def _write_down(folder: PosixFolder, chain: Chain, depth: int, progress: Progress | None) -> bool:
    layer = chain.layers[depth]
    with open_chain(folder, layer.filename, layer.format, writable=True) as base:
        grown = chain.size > base.size
        if grown:
            base.top.image.resize(round_up(chain.size, SECTOR))
        copy_all([chain], old_target(base.top, Copying()), Copying(), floor=depth, progress=progress)
        base.top.image.flush()
        base.top.file.flush()
    return grown


def _refuse_emptying(chain: Chain) -> None:
    header = chain.top.header
    if header is None:
        return
    if header.snapshots:
        raise UnsupportedFeature(
            chain.top.filename, "emptying an overlay with internal snapshots (-d keeps it)"
        )
    if any(one.kind not in (BACKING_FORMAT, FEATURE_NAMES) for one in header.extensions):
        raise UnsupportedFeature(
            chain.top.filename, "emptying an overlay with bitmaps or other extensions (-d keeps it)"
        )


def _empty(folder: PosixFolder, chain: Chain) -> None:
    header = chain.top.header
    if header is not None:
        with replacing(folder, chain.top.filename) as file:
            write_empty(file, "qcow2", _options(header))
            file.flush()


def _options(header: Header) -> ImageOptions:
    """Return the options with which an image like this one is created."""
    return ImageOptions(
        size=header.size,
        backing_file=header.backing_file,
        backing_format=header.backing_format,
        cluster_size=header.geometry.cluster_size,
        compat="0.10" if header.geometry.version == 2 else "1.1",
        refcount_bits=header.geometry.refcount_bits,
        lazy_refcounts=bool(header.compatible & LAZY_REFCOUNTS),
        extended_l2=header.geometry.extended_l2,
        compression_type=COMPRESSION_TYPES[header.compression_type],
    )
