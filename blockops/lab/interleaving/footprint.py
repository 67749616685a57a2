"""What a step touches: two steps that touch nothing in common may change places, and nobody can tell.

A *thing* is anything that one step can leave for another to find: a file, a folder's names, the devices'
gates and what is in flight, what the guest knows.  A step that writes a thing meets every step that
reads or writes it.
"""

import attrs


@attrs.frozen
class Footprint:
    """The things that a step read, and those that it wrote."""

    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()

    def meets(self, other: "Footprint") -> bool:
        """Whether the one could find out that the other came first."""
        return bool(self.writes & other.writes or self.writes & other.reads or self.reads & other.writes)

    def __or__(self, other: "Footprint") -> "Footprint":
        return Footprint(self.reads | other.reads, self.writes | other.writes)
