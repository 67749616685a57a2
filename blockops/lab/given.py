"""Real images that a user gives: looked at before anything runs, and never written to.

Whatever is wrong with one, or with an image below it, is a `BlockError` whose sentence names the file
that was given.
"""

import os
from collections.abc import Sequence

from blockops.errors import BlockError, ImageError, InvalidRequest, UnsupportedFeature
from blockops.graph.formats import Opening, open_node
from blockops.graph.graph import Graph, reading_path
from blockops.graph.node import ImageNode
from blockops.host.posix import PosixFolder
from blockops.units import SECTOR

_LOOKING = Opening(writable=False, lock=False)


def open_given(paths: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return (absolute path, format) of each image; raises `BlockError` for the first unusable one."""
    for path in paths:
        if not path:
            raise InvalidRequest("an image", "its name is empty")
    absolute = [os.path.realpath(path) for path in paths]
    found = tuple((path, _usable(path)) for path in absolute)
    files = [(status.st_dev, status.st_ino) for status in map(os.stat, absolute)]
    for number, file in enumerate(files):
        if file in files[:number]:
            same = paths[files.index(file)]
            also = "" if same == paths[number] else f", before as {same}"
            raise InvalidRequest(paths[number], f"the same file is given twice{also}")
    return found


def _usable(path: str) -> str:
    """Return the format; an error in the chain below names the image at *path*, too."""
    try:
        return _format_of(path)
    except BlockError as error:
        if path in str(error):
            raise
        raise InvalidRequest(path, f"an image below it cannot be used: {error}") from error


def _format_of(path: str) -> str:
    node = open_chain(path)
    try:
        _refuse_mistaken_for_raw(path, node)
        if node.size < SECTOR:
            raise ImageError(path, "file", None, f"it has {node.size} bytes, a disk needs at least {SECTOR}")
        node.read(0, SECTOR)
        return node.format
    finally:
        for opened in reading_path(node):
            opened.abandon()


def _refuse_mistaken_for_raw(path: str, node: ImageNode) -> None:
    """Raise where the name or the first bytes say that this is an image of some format, but not raw."""
    if node.format != "raw":
        return
    if path.endswith(".qcow2"):
        raise ImageError(path, "header", 0, "its name says qcow2, but it has no qcow2 header")
    start = node.read(0, min(SECTOR, node.size))
    for name, (offset, magic) in _FOREIGN.items():
        if start[offset : offset + len(magic)] == magic:
            raise UnsupportedFeature(path, f"the image format {name}")


_FOREIGN = {
    "vmdk": (0, b"KDMV"),
    "vhdx": (0, b"vhdxfile"),
    "qed": (0, b"QED\0"),
    "vdi": (64, b"\x7f\x10\xda\xbe"),
}


def open_chain(path: str) -> ImageNode:
    """Open the image at *path* and all below it, for reading, without locks."""
    return open_node(Graph(), PosixFolder(os.path.dirname(path)), path, None, _LOOKING)


def chain_of(path: str) -> tuple[str, ...]:
    """Return the paths of the image at *path* and of all below it, top first."""
    nodes = tuple(reading_path(open_chain(path)))
    for node in nodes:
        node.abandon()
    return tuple(node.source.path for node in nodes)
