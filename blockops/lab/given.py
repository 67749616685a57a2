"""Real images that a user gives: looked at before anything runs, and never written to.

Whatever is wrong with one is a `BlockError` whose sentence names the file.
"""

import os.path
from collections.abc import Sequence

from blockops.errors import ImageError, InvalidRequest, UnsupportedFeature
from blockops.graph.formats import Opening, open_node
from blockops.graph.graph import Graph, reading_path
from blockops.graph.node import ImageNode
from blockops.host.posix import PosixFolder
from blockops.units import SECTOR

_LOOKING = Opening(writable=False, lock=False)


def open_given(paths: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return (absolute path, format) of each image; raises `BlockError` for the first unusable one."""
    absolute = [os.path.realpath(path) for path in paths]
    for number, path in enumerate(absolute):
        if path in absolute[:number]:
            raise InvalidRequest(paths[number], "the same file is given twice")
    return tuple((path, _format_of(path)) for path in absolute)


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
