"""Opening and creating images by name: probing, backing chains, locks.

Images never open files and never know the graph; this module does it for them.  A backing name is
resolved against the folder of the image that records it (qcow2 specification, "Backing file name").
"""

import contextlib
import posixpath
from collections.abc import Callable

import attrs

from blockops.errors import BlockError, ImageError, InvalidBlockFormat, InvalidRequest
from blockops.graph.graph import Graph, reading_path, refuse_long_chain
from blockops.graph.node import Image, ImageNode
from blockops.graph.recorded import PREFIX, described
from blockops.host.api import HostFile, HostFolder, LockMode, read_exactly
from blockops.qcow2.create import create as create_qcow2
from blockops.qcow2.create import wipe
from blockops.qcow2.header import Header
from blockops.qcow2.image import Qcow2Image
from blockops.raw import RawImage

QCOW2_MAGIC = b"QFI\xfb"


@attrs.frozen
class Opening:
    """How images are opened.

    *lock*: take a lock on each file (2012 took none).  *share*: a backing file that this graph has open
    already is used as it stands instead of being opened a second time.
    """

    writable: bool = True
    backing: bool = True
    lock: bool = True
    share: bool = True


def _open_qcow2(folder: HostFolder, file: HostFile, how: Opening) -> Image:
    def data_file(header: Header) -> HostFile:
        if header.data_file is None:
            raise ImageError(file.path, "header", None, "it does not name its external data file")
        # As QEMU: not beside the image, as a backing file, but where whoever opens it stands.
        return _open_file(folder, header.data_file, how)

    return Qcow2Image.open(file, writable=how.writable, data_file=data_file)


def _open_raw(folder: HostFolder, file: HostFile, how: Opening) -> Image:
    return RawImage(file)


FORMATS: dict[str, Callable[[HostFolder, HostFile, Opening], Image]] = {
    "qcow2": _open_qcow2,
    "raw": _open_raw,
}


def known_format(name: str, device: str | None = None) -> str:
    """Return *name* if it is a format's, else raise `InvalidBlockFormat`."""
    if name not in FORMATS:
        raise InvalidBlockFormat(name, device)
    return name


def probe(file: HostFile) -> str:
    """Tell the format of an open file from its first bytes; what has no magic is raw."""
    return "qcow2" if read_exactly(file, 0, len(QCOW2_MAGIC)) == QCOW2_MAGIC else "raw"


def open_node(graph: Graph, folder: HostFolder, filename: str, format: str | None, how: Opening) -> ImageNode:
    """Open *filename* (probed where *format* is None) and, where asked, the chain below it.

    Nothing stays open after an error.  The node is in the graph's care but no device shows it.
    """
    node = _open_one(graph, folder, filename, format, how)
    try:
        if how.backing:
            _open_backing(graph, folder, node, how, {node.path})
    except BlockError:
        _drop(node)
        raise
    graph.adopt(node)
    return node


def _open_one(graph: Graph, folder: HostFolder, filename: str, format: str | None, how: Opening) -> ImageNode:
    file = _open_file(folder, filename, how)
    try:
        name = known_format(format) if format is not None else probe(file)
        image = FORMATS[name](folder, file, how)
    except BlockError:
        with contextlib.suppress(BlockError):
            file.close()
        raise
    return ImageNode(graph.new_name(), filename, name, image, how.writable)


def _open_file(folder: HostFolder, filename: str, how: Opening) -> HostFile:
    file = folder.open(filename, writable=how.writable)
    try:
        if how.lock:
            file.lock(LockMode.EXCLUSIVE if how.writable else LockMode.SHARED)
    except BlockError:
        with contextlib.suppress(BlockError):
            file.close()
        raise
    return file


def _open_backing(graph: Graph, folder: HostFolder, node: ImageNode, how: Opening, seen: set[str]) -> None:
    recorded = backing_of(node)
    if recorded is None:
        return
    path, format = _located(folder, node.path, *recorded)
    if path in seen:
        raise ImageError(node.path, "backing file name", None, f"{path} is above it in the chain: a loop")
    shared = graph.opened(path) if how.share else None
    refuse_long_chain(node.path, len(seen) + (shared is None), shared)
    if shared is not None:
        node.backing = shared
        return
    below = _open_one(graph, folder, path, format, attrs.evolve(how, writable=False))
    node.backing = below
    _open_backing(graph, folder, below, how, seen | {path})
    graph.adopt(below)


def hang_over_recorded(graph: Graph, folder: HostFolder, node: ImageNode, how: Opening) -> None:
    """Open the chain that the header of *node* records and hang the node over it, which has none by now.

    After an error it has none still, and nothing stays open.
    """
    try:
        _open_backing(graph, folder, node, how, {node.path})
    except BlockError:
        below, node.backing = node.backing, None
        if below is not None:
            _drop(below.source)
        raise


def _drop(node: ImageNode) -> None:
    """Release *node* and what was opened below it: no shared node is there, for that would end the opening.

    That closing fails as well is not told: the caller learns what went wrong first.
    """
    for opened in reading_path(node):
        with contextlib.suppress(BlockError):
            opened.abandon()


def backing_of(node: ImageNode) -> tuple[str, str | None] | None:
    """Return the backing name and format that the image's header records, or None."""
    if not isinstance(node.image, Qcow2Image):
        return None
    header = node.image.header
    return None if header.backing_file is None else (header.backing_file, header.backing_format)


def _located(folder: HostFolder, above: str, name: str, format: str | None) -> tuple[str, str | None]:
    """Return the absolute name of a backing file, and its format where the image says it."""
    if not name.startswith(PREFIX):
        return resolve_backing(above, name), format
    filename, driver = described(above, name)
    return folder.resolve(filename), driver or format


def resolve_backing(overlay_path: str, recorded: str) -> str:
    """Return the absolute name of a backing file recorded in the image at *overlay_path*."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(overlay_path), recorded))


@attrs.frozen
class NewImage:
    """An image to be created: *size* and *cluster_size* in bytes; *replace* wipes an existing file."""

    filename: str
    format: str
    size: int
    backing_file: str | None = None
    backing_format: str | None = None
    cluster_size: int = 65536
    replace: bool = False


def create_image(folder: HostFolder, new: NewImage, *, durable: bool) -> None:
    """Create an image file; *durable*: on the disk, too.  An error may leave a partial file behind."""
    known_format(new.format)
    file = folder.create(new.filename, replace=new.replace)
    try:
        _write_new(file, new, durable)
    finally:
        file.close()


def _write_new(file: HostFile, new: NewImage, durable: bool) -> None:
    if new.format == "raw":
        replaced = file.size() > 0  # only a volume has old bytes
        file.truncate(new.size)
        if file.size() != new.size:
            raise InvalidRequest(file.path, f"a raw image of {new.size} bytes cannot lie on {file.size()}")
        if replaced:
            wipe(file, new.size)
        if durable:
            file.flush()
        return
    create_qcow2(
        file,
        size=new.size,
        cluster_size=new.cluster_size,
        backing_file=new.backing_file,
        backing_format=new.backing_format,
        durable=durable,
    )
