"""The hypervisor is killed.

kill@17         when it is about to do host operation 17
kill@step-23    before step 23 of the scheduler
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

from blockops.lab.faults.fault import Family, Fault, HostOperation, Recording, numbered
from blockops.lab.faults.kinds import MUTATING

if TYPE_CHECKING:
    from blockops.lab.case import Case


@attrs.frozen
class KilledAtOperation(Fault):
    """The hypervisor dies when it is about to do host operation *number*."""

    number: int
    group = "kill"

    def __str__(self) -> str:
        return f"kill@{self.number}"

    @property
    def armed_from(self) -> int:
        return self.number


@attrs.frozen
class KilledAtStep(Fault):
    """The hypervisor dies before step *step* of the scheduler."""

    step: int
    group = "kill"

    def __str__(self) -> str:
        return f"kill@step-{self.step}"

    @property
    def kill_step(self) -> int:
        return self.step


def _parse(text: str) -> Fault | None:
    step, number = numbered(text, "kill@step-"), numbered(text, "kill@")
    if step is not None:
        return KilledAtStep(step)
    return None if number is None else KilledAtOperation(number)


def _listed(setting: "Case", recording: Recording, chosen: Sequence[HostOperation]) -> Iterator[Fault]:
    for operation in chosen:
        if operation.operation in MUTATING and operation.actor != "management":
            yield KilledAtOperation(operation.number)
    for step in range(1, recording.steps + 1):
        yield KilledAtStep(step)


FAMILY = Family(
    {"kill": "the hypervisor is killed before a step or a host operation"},
    _parse,
    _listed,
    "kills of the hypervisor",
)
