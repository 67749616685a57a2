"""Management dies.

manager-dies@4    before its step 4, for good; its connection drops
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


def _parse(text: str) -> ManagerDies | None:
    step = numbered(text, "manager-dies@")
    return None if step is None else ManagerDies(step)


def _listed(setting: "Case", recording: Recording, chosen: Sequence[HostOperation]) -> Iterator[Fault]:
    for step in range(1, recording.manager_steps + 1):
        yield ManagerDies(step)


FAMILY = Family(
    {"manager-dies": "management dies before one of its steps"}, _parse, _listed, "deaths of management"
)
