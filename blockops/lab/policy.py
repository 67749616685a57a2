"""How far a comparison goes, in numbers of cases: the one place where that is decided.

    use case with its own number of devices    every single fault
    other numbers of devices, further worlds   each setting without a fault, and a sample of the rest

A sample is shared among the settings that it is for: each gets an equal number, and what the small ones
do not need goes to the larger ones.  The numbers keep the default run under five minutes on two cores,
of which the exhaustive part takes most.  `--full` samples nothing.
"""

from collections.abc import Sequence

import attrs


@attrs.frozen
class Policy:
    """How many cases are sampled in all, None for every one.

    *others*: with numbers of devices other than the use case's own; *worlds*: in the further worlds.
    *inner*: where cases are sampled, operations on the devices between the first and the last may fail, too.
    """

    others: int | None = None
    worlds: int | None = None
    inner: bool = True


DEFAULT = Policy(others=12_000, worlds=4_000, inner=False)
FULL = Policy()


def shares(total: int, sizes: Sequence[int]) -> list[int]:
    """Divide *total* among spaces of *sizes*: equally, but nobody gets more than there is."""
    found = [0] * len(sizes)
    left, waiting = total, len(sizes)
    for number in sorted(range(len(sizes)), key=lambda number: sizes[number]):
        found[number] = min(sizes[number], left // waiting)
        left -= found[number]
        waiting -= 1
    return found
