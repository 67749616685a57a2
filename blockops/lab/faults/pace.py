"""Nothing is broken; only the guest's pace differs.

no-fault        as the world's schedule says
guest-runs@5    the guest runs ahead after step 5 of the operation
guest-lags@5    from that step on the guest stands still for a while
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

from blockops.lab.faults.fault import Family, Fault, HostOperation, Recording, numbered

if TYPE_CHECKING:
    from blockops.lab.case import Case

RUN = 16
"""How far the guest runs ahead: enough for a write and one on another device that depends on it."""

LAG = 16
"""How long the guest rests: enough for a command of a few devices to go from its drain to its end."""


@attrs.frozen
class NoFault(Fault):
    """Nothing is broken."""

    group = "no-fault"
    spares_guest = True

    def __str__(self) -> str:
        return "no-fault"


@attrs.frozen
class GuestRuns(Fault):
    """Nothing is broken; after step *step* of the operation the guest takes `RUN` steps more than usual."""

    step: int
    group = "guest-runs"
    spares_guest = True
    is_variant = True

    def __str__(self) -> str:
        return f"guest-runs@{self.step}"

    def guest_steps(self, now: int, usual: int, *, idle: bool) -> int:
        return usual + RUN if now == self.step else usual


@attrs.frozen
class GuestLags(Fault):
    """Nothing is broken; after step *step* of the operation the guest rests for `LAG` of its steps.

    What is in flight stays so; where the operation waits for it, the guest goes on.
    """

    step: int
    group = "guest-lags"
    spares_guest = True
    is_variant = True

    def __str__(self) -> str:
        return f"guest-lags@{self.step}"

    def guest_steps(self, now: int, usual: int, *, idle: bool) -> int:
        return 0 if self.step <= now < self.step + LAG and not idle else usual


def _parse(text: str) -> Fault | None:
    runs, lags = numbered(text, "guest-runs@"), numbered(text, "guest-lags@")
    if runs is not None:
        return GuestRuns(runs)
    if lags is not None:
        return GuestLags(lags)
    return NoFault() if text == "no-fault" else None


def _listed(setting: "Case", recording: Recording, chosen: Sequence[HostOperation]) -> Iterator[Fault]:
    yield NoFault()
    for step in range(1, recording.operation_steps + 1):
        yield GuestRuns(step)
        yield GuestLags(step)


FAMILY = Family(
    {
        "guest-runs": "nothing is broken, the guest runs ahead between two steps of the operation",
        "guest-lags": "nothing is broken, the guest rests while the operation goes on",
        "no-fault": "nothing is broken",
    },
    _parse,
    _listed,
    "cases with nothing broken",
)
