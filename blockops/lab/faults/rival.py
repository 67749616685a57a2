"""A second manager wants the same, and neither knows of the other.

rival@5    from step 5 of the operation on another process runs the same program over a connection of its own

That is the split brain of a management that fails over while its first process still lives.  The two share
the books.  The hypervisor carries out one command at a time, whoever sent it.  What the second one does
between two commands it does at once.  Laws about replies judge those of the first.

Asked for by name only: the programs were not written for it, and the page does not speak of it.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

from blockops.lab.faults.fault import Family, Fault, HostOperation, Recording, numbered

if TYPE_CHECKING:
    from blockops.lab.case import Case
    from blockops.lab.execution import Execution


@attrs.frozen
class Rival(Fault):
    """From step *step* of the operation on a second manager wants the same."""

    step: int
    group = "rival"
    spares_guest = True

    def __str__(self) -> str:
        return f"rival@{self.step}"

    def befall(self, execution: "Execution", step: int) -> None:
        if step == self.step:
            execution.say("fault", "a second manager begins")
            execution.begin_rival()
        if execution.rival is not None:
            execution.rival.go_on()


def _parse(text: str) -> Fault | None:
    step = numbered(text, "rival@")
    return None if step is None else Rival(step)


def _listed(setting: "Case", recording: Recording, chosen: Sequence[HostOperation]) -> Iterator[Fault]:
    for step in range(1, recording.operation_steps + 1):
        yield Rival(step)


FAMILY = Family(
    {"rival": "a second manager wants the same, and neither knows of the other"},
    _parse,
    _listed,
    "second managers",
    by_name=True,
)
