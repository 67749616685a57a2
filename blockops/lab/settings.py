"""What a comparison is asked for."""

import os
from collections.abc import Callable
from typing import TypeAlias

import attrs

from blockops.lab.policy import DEFAULT, FULL, Policy
from blockops.management.contestant import Contestant

Roster: TypeAlias = Callable[[], tuple[Contestant, ...]]
"""Returns everybody who may take part.

It crosses to other processes by its name, so it must be a function of a module; contestants themselves,
which are made of programs, need not cross.
"""


@attrs.frozen
class Settings:
    """What to compare.  Empty tuples mean all; *devices* replaces each use case's own device counts.

    *contestants*: designs or whole ids.  *images*: real images (absolute path, format) that stand below
    d0, d1, … and are never written.  *complete*: sample nothing.  *scenarios*: those to be reported,
    empty for all.
    """

    devices: int | None = None
    use_cases: tuple[str, ...] = ()
    contestants: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    managers: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    images: tuple[tuple[str, str], ...] = ()
    jobs: int = 0
    seed: int = 7
    examples: int = 2
    complete: bool = False
    scenarios: tuple[str, ...] = ()

    @property
    def workers(self) -> int:
        """The number of worker processes: as asked, or one a core."""
        return self.jobs or len(os.sched_getaffinity(0))

    @property
    def groups(self) -> frozenset[str] | None:
        """The fault groups asked for, None for all."""
        return frozenset(self.faults) or None

    @property
    def policy(self) -> Policy:
        """How far to go."""
        return FULL if self.complete else DEFAULT
