"""An image with everything below it, open, and the file of each layer beside it.

The graph's own `open_node` opens; the folder that it is given remembers the files, because the map of an
image and a copy of it need them, too.
"""

import contextlib
from collections.abc import Iterator, Sequence

import attrs

from blockops.errors import HostError
from blockops.graph.formats import Opening, backing_of, open_node
from blockops.graph.graph import Graph, reading_path
from blockops.graph.node import Image, ImageNode
from blockops.host.api import HostFile
from blockops.host.posix import PosixFile, PosixFolder
from blockops.img.names import below
from blockops.img.unsynced import Unsynced
from blockops.qcow2.header import Header
from blockops.qcow2.image import Qcow2Image


@attrs.frozen
class Layer:
    """One image of a chain; *filename* is how somebody in the same working folder names it.

    *data* is the file that guest clusters are in: *file*, or the external data file.
    """

    filename: str
    format: str
    file: PosixFile
    data: PosixFile
    image: Image

    @property
    def data_filename(self) -> str:
        """How somebody in the same working folder names the file that guest clusters are in."""
        named = self.image.data_file if isinstance(self.image, Qcow2Image) else None
        return self.filename if named is None else named

    @property
    def header(self) -> Header | None:
        """The qcow2 header, None for a raw image."""
        return self.image.header if isinstance(self.image, Qcow2Image) else None


@attrs.frozen
class Chain:
    """An open image and what is below it, top first."""

    layers: tuple[Layer, ...]

    @property
    def top(self) -> Layer:
        """The image that was asked for."""
        return self.layers[0]

    @property
    def size(self) -> int:
        """The guest's size in bytes."""
        return self.top.image.size


@attrs.define
class _Remembering:
    """A folder that remembers the files that were opened in it, by their absolute names."""

    _folder: PosixFolder
    _durable: bool
    _lock: bool
    files: dict[str, PosixFile] = attrs.field(factory=dict)

    @property
    def path(self) -> str:
        return self._folder.path

    def resolve(self, name: str) -> str:
        return self._folder.resolve(name)

    def open(self, name: str, *, writable: bool) -> HostFile:
        file = self._folder.open(name, writable=writable)
        if self._lock:
            _lock(file)
        self.files[file.path] = file
        return file if self._durable else Unsynced(file)

    def create(self, name: str, *, replace: bool) -> PosixFile:
        return self._folder.create(name, replace=replace)

    def rename(self, old: str, new: str) -> None:
        self._folder.rename(old, new)

    def unlink(self, name: str) -> None:
        self._folder.unlink(name)

    def exists(self, name: str) -> bool:
        return self._folder.exists(name)

    def names(self) -> Sequence[str]:
        return self._folder.names()

    def sync(self, name: str = ".") -> None:
        self._folder.sync(name)


def _lock(file: PosixFile) -> None:
    try:
        file.lock_as_qemu()
    except HostError:
        file.close()
        raise


@contextlib.contextmanager
def open_chain(
    folder: PosixFolder,
    filename: str,
    format: str | None = None,
    *,
    writable: bool = False,
    backing: bool = True,
    force_share: bool = False,
    durable: bool = True,
) -> Iterator[Chain]:
    """Open *filename* and, where *backing*, all that is below it, for as long as the block runs.

    *format* is probed where None; only the top is *writable*.  *force_share* takes no locks.  What was
    written is flushed where the block ends well, to the disk where *durable*.  Raises `HostError`,
    `ImageError`, `UnsupportedFeature`, `InvalidBlockFormat`.
    """
    remembering = _Remembering(folder, durable, lock=not force_share)
    how = Opening(writable=writable, backing=backing, lock=not force_share, share=False)
    node = open_node(Graph(), remembering, filename, format, how)
    nodes = [one.source for one in reading_path(node)]
    try:
        yield Chain(tuple(_layers(nodes, filename, remembering)))
        node.close()
    finally:
        for opened in nodes:
            opened.abandon()


def _layers(nodes: list[ImageNode], filename: str, opened: _Remembering) -> Iterator[Layer]:
    for node in nodes:
        file = data = opened.files[node.path]
        if isinstance(node.image, Qcow2Image) and (name := node.image.data_file) is not None:
            data = opened.files[opened.resolve(name)]
        yield Layer(filename, node.format, file, data, node.image)
        recorded = backing_of(node)
        filename = filename if recorded is None else below(filename, recorded[0])
