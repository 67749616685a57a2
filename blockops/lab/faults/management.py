"""Management dies.

manager-dies@4          before its step 4, for good; its connection drops
manager-restarts@4      the same, and a new process, with the notes and the configuration that are on the
                        disk, runs the recovery program over a new connection
manager-restarts@4+2    that one dies, too, when it has taken 2 steps, and a third one recovers
manager-forgets@4       as manager-restarts, but the notes are gone: only the configuration is left

The hypervisor lives, and may still be carrying out what the dead one had sent.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

from blockops.lab.faults.fault import Family, Fault, HostOperation, Recording, numbered

if TYPE_CHECKING:
    from blockops.lab.case import Case


@attrs.frozen
class ManagerDies(Fault):
    """Management dies before its step *step*; its connection drops."""

    step: int
    group = "manager-dies"
    spares_guest = True

    def __str__(self) -> str:
        return f"manager-dies@{self.step}"

    def kills_management(self, step: int) -> bool:
        return step == self.step


@attrs.frozen
class ManagerRestarts(Fault):
    """Management dies before its step *step*, and a new process recovers.

    *again*: that one dies, too, after so many steps of its own, and a third one recovers.
    """

    step: int
    again: int | None = None
    group = "manager-restarts"
    spares_guest = True
    restarts_management = True

    def __str__(self) -> str:
        return f"manager-restarts@{self.step}" + ("" if self.again is None else f"+{self.again}")

    @property
    def is_variant(self) -> bool:
        return self.again is not None

    def has_ended(self, manager_steps: int) -> bool:
        return self.again is None or manager_steps > self.step + self.again

    def kills_management(self, step: int) -> bool:
        return step == self.step or (self.again is not None and step == self.step + self.again + 1)


@attrs.frozen
class ManagerForgets(Fault):
    """Management dies before its step *step*, and a new process recovers without the notes."""

    step: int
    group = "manager-forgets"
    spares_guest = True
    restarts_management = True
    forgets_notes = True

    def __str__(self) -> str:
        return f"manager-forgets@{self.step}"

    def kills_management(self, step: int) -> bool:
        return step == self.step


def _parse(text: str) -> Fault | None:
    dies, forgets = numbered(text, "manager-dies@"), numbered(text, "manager-forgets@")
    if dies is not None:
        return ManagerDies(dies)
    if forgets is not None:
        return ManagerForgets(forgets)
    first, plus, second = text.partition("+")
    step, again = numbered(first, "manager-restarts@"), numbered(f"+{second}", "+")
    if step is None or (plus and again is None):
        return None
    return ManagerRestarts(step, again)


def _listed(setting: "Case", recording: Recording, chosen: Sequence[HostOperation]) -> Iterator[Fault]:
    """Yield each death, and for every restart one second death, at another step of the recovery each time."""
    for step in range(1, recording.manager_steps + 1):
        yield ManagerDies(step)
    for step in range(1, recording.manager_steps + 1):
        yield ManagerRestarts(step)
        yield ManagerForgets(step)
        yield ManagerRestarts(step, 1 + step * STRIDE % RECOVERY)


RECOVERY = 16
"""How many steps of a recovery are tried as its last: about what the longest of them need."""

STRIDE = 5
"""From one restart to the next the second death moves on by so many steps, round and round."""

FAMILY = Family(
    {
        "manager-dies": "management dies before one of its steps",
        "manager-restarts": "management dies before a step, and a new process recovers (and may die as well)",
        "manager-forgets": "management dies before a step, and a new process recovers without its notes",
    },
    _parse,
    _listed,
    "deaths of management",
)
