"""What a kill leaves behind: two kills at equal moments of one run are the same case."""

import functools
from typing import TYPE_CHECKING, TypeAlias

import attrs

from blockops.lab.evidence import Evidence
from blockops.lab.faults.fault import Fault, HostOperation
from blockops.lab.faults.kinds import MUTATING
from blockops.lab.hosts import Clock
from blockops.lab.hypervisor import Hypervisor

if TYPE_CHECKING:
    from blockops.lab.execution import Execution

Moment: TypeAlias = tuple[int, int, int, int, int, int, int, tuple[str | None, ...]]


def moment_of(evidence: Evidence, clock: Clock, manager_steps: int, hypervisor: Hypervisor | None) -> Moment:
    """Return all that a kill now can leave behind: what is on the disk, what was promised and said."""
    history = evidence.history
    return (
        clock.mutations,
        history.ended,
        history.durable,
        manager_steps,
        sum(exchange.answer is not None for exchange in evidence.exchanges),
        len(history.misread),
        len(evidence.mirrored),
        hypervisor.tops() if hypervisor is not None else (),
    )


@attrs.define(eq=False)
class Noting(Fault):
    """Nothing breaks; what a kill would leave is noted before each operation that changes the disk.

    *moments* has those operations by number, but for management's: it outlives the hypervisor.
    """

    moments: list[tuple[int, Moment]] = attrs.field(factory=list)
    group = "no-fault"
    spares_guest = True

    def __str__(self) -> str:
        return "no-fault"

    @property
    def armed_from(self) -> int:
        return 1

    def arrange(self, execution: "Execution") -> None:
        execution.clock.about_to = functools.partial(self._note, execution)

    def _note(self, execution: "Execution", operation: HostOperation) -> None:
        if operation.operation in MUTATING and operation.actor != "management":
            clock, manager_steps = execution.clock, execution.manager_steps
            found = moment_of(execution.evidence, clock, manager_steps, execution.hypervisor)
            self.moments.append((operation.number, (found[0] - 1, *found[1:])))  # it is counted already
