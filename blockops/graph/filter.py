"""A filter: a node above another that passes on what it does not change, and keeps a second image open."""

import attrs

from blockops.graph.node import ImageNode, Node


@attrs.define(eq=False)
class Filter:
    """Reads and flushes *upper* alone; *target* hangs below it as well.

    What a write does is for each filter to say.
    """

    name: str
    upper: Node
    target: ImageNode

    @property
    def writable(self) -> bool:
        return self.upper.writable

    @property
    def size(self) -> int:
        return self.upper.size

    @property
    def below(self) -> tuple[Node, ...]:
        return (self.upper, self.target)

    @property
    def source(self) -> ImageNode:
        return self.upper.source

    def read(self, offset: int, length: int) -> bytes:
        return self.upper.read(offset, length)

    def flush(self) -> None:
        """Flush the source only; who comes to rely on the target is to flush it first."""
        self.upper.flush()

    def close(self) -> None:
        """Nothing of its own to release: the graph closes what is below."""

    def abandon(self) -> None:
        """Nothing of its own to release."""
