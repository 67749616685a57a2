"""What happened in a case, told in order: who did what, and where the fault struck."""

import attrs

from blockops.lab.faults.fault import Fault
from blockops.lab.hosts import Clock
from blockops.lab.results import Event


@attrs.define(eq=False)
class Timeline:
    """The events of one case from management's begin on; *kept* only where somebody is to read them."""

    fault: Fault
    clock: Clock
    kept: bool
    events: list[Event] = attrs.field(factory=list)
    _marked: dict[str, None] = attrs.field(factory=dict)

    def say(self, step: int, actor: str, *words: object) -> None:
        """Add what *actor* did at *step*, and before it what the fault has struck by now."""
        if self.kept and self.clock.running:
            self._mark_hits(step)
            self.events.append(Event(step, actor, "".join(map(str, words))))

    def _mark_hits(self, step: int) -> None:
        """Mark what the fault has struck by now, once for each file and operation."""
        for hit in self.clock.hits:
            struck = f"{self.fault} strikes: {hit.operation} of {hit.path} by the {hit.actor}"
            if struck not in self._marked:
                self._marked[struck] = None
                self.events.append(Event(step, "fault", struck))
