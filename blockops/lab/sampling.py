"""Sampling without chance: a case is in the sample if the hash of its id, with the seed, is low enough.

So a sample depends on the seed and on nothing else: not on who draws it, in which order, or what else
there is; and a larger sample holds the smaller one.
"""

import hashlib
import heapq
from collections.abc import Iterable, Sequence

import attrs


def lot(seed: int, case_id: str) -> str:
    """Return the lot that a case draws: the lowest are in."""
    return hashlib.blake2b(f"{seed}/{case_id}".encode(), digest_size=12).hexdigest()


@attrs.define
class Lots:
    """The *limit* cases with the lowest lots among *count* that took part, each as (lot, case id).

    Parts of it add up to the same whole in any order.
    """

    limit: int = 0
    count: int = 0
    lowest: list[tuple[str, str]] = attrs.field(factory=list)

    def draw(self, seed: int, case_ids: Iterable[str]) -> None:
        """Let more cases take part."""
        drawn = [(lot(seed, case_id), case_id) for case_id in case_ids]
        self.add(Lots(self.limit, len(drawn), drawn))

    def add(self, other: "Lots") -> None:
        """Take in what was drawn elsewhere."""
        self.count += other.count
        self.limit = max(self.limit, other.limit)
        self.lowest = heapq.nsmallest(self.limit, [*self.lowest, *other.lowest])


def sampled(case_ids: Sequence[str], wanted: int, seed: int) -> list[int]:
    """Return the ranks of the *wanted* cases with the lowest lots, the lowest first."""
    lots = ((lot(seed, case_id), rank) for rank, case_id in enumerate(case_ids))
    return [rank for _, rank in heapq.nsmallest(wanted, lots)]
