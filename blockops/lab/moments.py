"""What a kill leaves behind: two kills at equal moments of one run are the same case."""

from typing import TypeAlias

from blockops.lab.evidence import Evidence
from blockops.lab.hosts import Clock
from blockops.lab.hypervisor import Hypervisor

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
