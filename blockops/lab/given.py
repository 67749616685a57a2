"""Real images that a user gives: looked at before anything runs, and never written to.

Whatever is wrong with one is a `BlockError` whose sentence names the file.
"""

import os.path
from collections.abc import Sequence

from blockops.errors import ImageError, InvalidRequest
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
        if node.size < SECTOR:
            raise ImageError(path, "file", None, f"it has {node.size} bytes, a disk needs at least {SECTOR}")
        node.read(0, SECTOR)
        return node.format
    finally:
        for opened in reading_path(node):
            opened.abandon()


def open_chain(path: str) -> ImageNode:
    """Open the image at *path* and all below it, for reading, without locks."""
    return open_node(Graph(), PosixFolder(os.path.dirname(path)), path, None, _LOOKING)
