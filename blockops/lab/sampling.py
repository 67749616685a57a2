"""Sampling without chance: a case is in the sample if the hash of its id, with the seed, is low enough.

So a sample depends on the seed and on nothing else: not on who draws it, in which order, or what else
there is; and a larger sample holds the smaller one.
"""

import hashlib
import heapq
from collections.abc import Sequence


def lot(seed: int, case_id: str) -> bytes:
    """Return the lot that a case draws: the lowest are in."""
    return hashlib.blake2b(f"{seed}/{case_id}".encode(), digest_size=12).digest()


def sampled(case_ids: Sequence[str], wanted: int, seed: int) -> list[int]:
    """Return the ranks of the *wanted* cases with the lowest lots, in order."""
    if wanted >= len(case_ids):
        return list(range(len(case_ids)))
    lots = ((lot(seed, case_id), rank) for rank, case_id in enumerate(case_ids))
    return sorted(rank for _, rank in heapq.nsmallest(wanted, lots))
