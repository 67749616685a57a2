"""A node is an opened image, or a filter over other nodes.

Nodes form chains: an image node reads from its backing what it does not hold itself.  A node knows
what is below it, never what is above; which node a device shows is the graph's business.
"""

from typing import Protocol

import attrs


class Image(Protocol):
    """What a node needs of an open image, whatever its format.  Offsets and sizes are bytes."""

    @property
    def path(self) -> str: ...

    @property
    def size(self) -> int: ...

    def read(self, offset: int, length: int) -> bytes: ...

    def write(self, offset: int, data: bytes) -> None: ...

    def write_zeroes(self, offset: int, length: int) -> None: ...

    def discard(self, offset: int, length: int) -> None: ...

    def flush(self) -> None: ...

    def resize(self, size: int) -> None: ...

    def take_back_growth(self, size: int) -> None: ...

    def close(self) -> None: ...

    def abandon(self) -> None: ...


class Layered(Image, Protocol):
    """An image that can have a backing."""

    backing: "Node | None"


class Node(Protocol):
    """One place in the graph that can be read and, where *writable*, written."""

    @property
    def name(self) -> str:
        """The graph's own name for it, unique among the nodes of one machine."""

    @property
    def writable(self) -> bool: ...

    @property
    def size(self) -> int: ...

    @property
    def below(self) -> "tuple[Node, ...]":
        """The nodes that this one reads from or writes to."""

    @property
    def source(self) -> "ImageNode":
        """The image that a reader of this node sees: itself, or below the filters."""

    def read(self, offset: int, length: int) -> bytes: ...

    def write(self, offset: int, data: bytes) -> None: ...

    def write_zeroes(self, offset: int, length: int) -> None: ...

    def discard(self, offset: int, length: int) -> None: ...

    def flush(self) -> None: ...

    def close(self) -> None: ...

    def abandon(self) -> None: ...


@attrs.define(eq=False)
class ImageNode:
    """An opened image.

    *filename* is the name exactly as it was asked for, which is what an overlay of 2012 records as its
    backing file; `path` is the absolute one.
    """

    name: str
    filename: str
    format: str
    image: Image
    writable: bool
    _backing: Node | None = None

    @property
    def path(self) -> str:
        return self.image.path

    @property
    def size(self) -> int:
        return self.image.size

    @property
    def backing(self) -> Node | None:
        return self._backing

    @backing.setter
    def backing(self, node: Node | None) -> None:
        """Hang this image over *node*, in memory only: the name in its header stays as it is."""
        self._backing = node
        if self.format != "raw":
            self.image.backing = node  # type: ignore[attr-defined]  # every format but raw is Layered

    @property
    def below(self) -> tuple[Node, ...]:
        return () if self._backing is None else (self._backing,)

    @property
    def source(self) -> "ImageNode":
        return self

    def read(self, offset: int, length: int) -> bytes:
        return self.image.read(offset, length)

    def write(self, offset: int, data: bytes) -> None:
        self.image.write(offset, data)

    def write_zeroes(self, offset: int, length: int) -> None:
        self.image.write_zeroes(offset, length)

    def discard(self, offset: int, length: int) -> None:
        self.image.discard(offset, length)

    def flush(self) -> None:
        """Make every acknowledged write durable (nothing to do for an image opened read-only)."""
        if self.writable:
            self.image.flush()

    def close(self) -> None:
        """Flush and release; an error of the flush comes after the release."""
        self.image.close()

    def abandon(self) -> None:
        """Release the file without writing anything more to it."""
        self.image.abandon()
