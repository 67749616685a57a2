"""The images that are measured, and in which order they are read and written.

    raw         the bytes themselves, in one raw file
    whole       one image, its clusters one behind the other
    scattered   one image, its clusters in no order
    chain-N     N images, each overlay with so many clusters of its own that readers meet all of them

All hold the same bytes, and all of them were just written: they lie in the page cache.
"""

import random
from collections.abc import Iterator
from pathlib import Path

import attrs

from blockops.graph.formats import NewImage, Opening, create_image, open_node
from blockops.graph.graph import Graph, reading_path
from blockops.graph.node import ImageNode
from blockops.host.posix import PosixFolder
from blockops.units import KIB, MIB

CLUSTER = 64 * KIB
SEED = 1
_PIECE = 2 * MIB


@attrs.frozen
class Site:
    """A folder with the images, each *size* bytes; chains of many images are an eighth of that."""

    path: Path
    size: int

    @property
    def folder(self) -> PosixFolder:
        """The folder as the core sees it."""
        return PosixFolder(str(self.path))

    def name(self, shape: str) -> str:
        """Return the full name of the image, or of the raw file, of that shape."""
        return str(self.path / (shape if shape == "raw" else f"{shape}.qcow2"))

    def length_of(self, shape: str) -> int:
        """Return the size of the images of that shape, of new ones and of the raw file the full one."""
        return self.size // 8 if _depth(shape) > 8 else self.size

    def make(self, shape: str) -> None:
        """Make the image of that shape, if it is not there yet."""
        if Path(self.name(shape)).exists():
            return
        size = self.length_of(shape)
        if shape == "raw":
            create_image(self.folder, NewImage(self.name(shape), "raw", size), durable=False)
            self._fill(self.name(shape), _runs(0, size, _PIECE))
        elif _depth(shape) > 1:
            self._make_chain(shape, _depth(shape))
        else:
            create_image(self.folder, NewImage(self.name(shape), "qcow2", size), durable=False)
            clusters = shuffled(size, CLUSTER) if shape == "scattered" else _runs(0, size, _PIECE)
            self._fill(self.name(shape), clusters)

    def _make_chain(self, shape: str, depth: int) -> None:
        size = self.length_of(shape)
        names = [self.name(f"{shape}.{number}") for number in range(depth - 1)] + [self.name(shape)]
        for number, name in enumerate(names):
            below = (names[number - 1], "qcow2") if number else (None, None)
            create_image(self.folder, NewImage(name, "qcow2", size, *below), durable=False)
            clusters = list(shuffled(size, CLUSTER, SEED + number))
            share = max(1, len(clusters) // min(depth, 16)) if number else len(clusters)
            self._fill(name, iter(clusters[:share]))

    def _fill(self, name: str, runs: Iterator[tuple[int, int]]) -> None:
        node = self.opened(name, writable=True)
        for offset, length in runs:
            node.write(offset, content(offset, length))
        node.flush()
        release(node)

    def opened(self, name: str, *, writable: bool = False) -> ImageNode:
        """Open an image with all below it."""
        format = "raw" if name.endswith("raw") else "qcow2"
        return open_node(Graph(), self.folder, name, format, Opening(writable=writable))


def release(node: ImageNode) -> None:
    """Close an image and all below it, without writing anything more."""
    for one in reading_path(node):
        one.abandon()


def _depth(shape: str) -> int:
    return int(shape.removeprefix("chain-")) if shape.startswith("chain-") else 1


def _runs(start: int, end: int, length: int) -> Iterator[tuple[int, int]]:
    return ((offset, min(length, end - offset)) for offset in range(start, end, length))


def shuffled(size: int, length: int, seed: int = SEED) -> Iterator[tuple[int, int]]:
    """Yield all pieces of *length* bytes of a disk of *size*, in an order without order."""
    starts = list(range(0, size, length))
    random.Random(seed).shuffle(starts)
    return ((start, length) for start in starts)


def content(offset: int, length: int) -> bytes:
    """Return what the images hold there: every sector tells where it lies, and none is zero."""
    return b"".join(
        (sector + 1).to_bytes(8, "little") * 64 for sector in range(offset // 512, (offset + length) // 512)
    )


def strided(size: int, count: int, step: int) -> list[int]:
    """Return *count* offsets, each *step* behind the one before, round and round a disk of *size* bytes.

    It is the only order without order that qemu-img bench can read and write in.
    """
    return [number * step % size for number in range(count)]


def leap(size: int, grain: int) -> int:
    """Return an odd number of *grain* bytes near the golden ratio of *size*: such steps meet every grain."""
    return (int(size / grain * 0.618) | 1) * grain
