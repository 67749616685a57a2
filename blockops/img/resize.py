"""Making an image's disk longer or shorter."""

from blockops.errors import InvalidRequest, UnsupportedFeature
from blockops.host.posix import PosixFolder
from blockops.img.opening import Layer, open_chain
from blockops.qcow2.image import Qcow2Image
from blockops.units import SECTOR


def resize(
    folder: PosixFolder,
    filename: str,
    size: int,
    format: str | None = None,
    *,
    relative: bool = False,
    shrink: bool = False,
) -> int:
    """Give *filename* a disk of *size* bytes, or of so many more or fewer where *relative*; return the size.

    What is new reads as zeros; what is cut off, which only *shrink* permits, is gone.  All is durable.
    Raises `InvalidRequest`, `UnsupportedFeature`, `ImageError`, `HostError`.
    """
    with open_chain(folder, filename, format, writable=True) as chain:
        old = chain.size
        wanted = old + size if relative else size
        if wanted < 0 or (relative and wanted == 0):
            raise InvalidRequest(filename, f"its {old} bytes cannot become {wanted}")
        if wanted < old and not shrink:
            raise InvalidRequest(filename, f"{wanted} bytes are fewer than its {old}: data would be lost")
        _set_size(chain.top, old, wanted)
        return wanted


def _set_size(layer: Layer, old: int, size: int) -> None:
    image = layer.image
    if not isinstance(image, Qcow2Image):
        layer.file.truncate(size)
        layer.file.flush()
        return
    if size % SECTOR:
        raise InvalidRequest(
            layer.filename, f"the size of a qcow2 image cannot be {size}: no multiple of 512"
        )
    if size >= old:
        image.resize(size)
    else:
        _shrink(layer.filename, image, old, size)


def _shrink(filename: str, image: Qcow2Image, old: int, size: int) -> None:
    """Give up what is behind *size*, so that nobody who makes it longer again sees it, then cut it off."""
    if image.header.geometry.version < 3 and image.header.backing_file is not None:
        # It would have to be filled with zeros first: version 2 knows no other way to hide a backing file.
        raise UnsupportedFeature(filename, "making an image of version 2 over a backing file shorter")
    image.write_zeroes(size, old - size)
    image.flush()
    image.take_back_growth(size)
