"""blkmirror: the filter that sends every write to two images (Simoncelli's and Bonzini's patches, 2012).

Reads and flushes go to the source alone ("after a crash start over"); writes, zeroes and discards to both
legs.  When a leg fails the other is still written, then the first error goes to the guest: nothing is
retried, nothing is remembered, the legs differ from then on and mirroring goes on.  The length is the
target's.
"""

from collections.abc import Callable

import attrs

from blockops.errors import BlockError
from blockops.graph.filter import Filter


@attrs.define(eq=False)
class MirrorNode(Filter):
    """A filter above *upper* that copies each write to *target*."""

    @property
    def size(self) -> int:
        return self.target.size

    def write(self, offset: int, data: bytes) -> None:
        both(lambda: self.upper.write(offset, data), lambda: self.target.write(offset, data))

    def write_zeroes(self, offset: int, length: int) -> None:
        both(
            lambda: self.upper.write_zeroes(offset, length),
            lambda: self.target.write_zeroes(offset, length),
        )

    def discard(self, offset: int, length: int) -> None:
        both(lambda: self.upper.discard(offset, length), lambda: self.target.discard(offset, length))


def both(first: Callable[[], None], second: Callable[[], None]) -> None:
    """Do both, whatever happens; raise the first error."""
    try:
        first()
    except BlockError:
        _ignoring_errors(second)
        raise
    second()


def _ignoring_errors(action: Callable[[], None]) -> None:
    try:
        action()
    except BlockError:
        return  # the guest learns of the first error only (blkmirror of 2012)
