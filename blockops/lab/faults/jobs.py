"""Somebody else ends a job.

cancelled@d0:step-7    after step 7 of the operation another client cancels the job of d0

A cancelled mirror is no error of the host: the operation has to notice that it is gone.  Only designs whose
mirrors are jobs have this fault; a blkmirror is nobody's to cancel.
"""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

from blockops.jobs.job import Job
from blockops.lab.faults.fault import Family, Fault, HostOperation, Recording

if TYPE_CHECKING:
    from blockops.lab.case import Case
    from blockops.lab.execution import Execution


@attrs.frozen
class Cancelled(Fault):
    """The job of *device* is cancelled after step *step* of the operation, at ready as politely as before."""

    device: str
    step: int
    group = "cancelled"
    spares_guest = True
    passes = True

    def __str__(self) -> str:
        return f"cancelled@{self.device}:step-{self.step}"

    def befall(self, execution: "Execution", step: int) -> None:
        if step != self.step or execution.hypervisor is None:
            return
        for job in execution.hypervisor.machine.background:
            if job.device == self.device and isinstance(job, Job):
                job.cancel()
                execution.say("fault", f"the job of {self.device} is cancelled")


def _parse(text: str) -> Cancelled | None:
    found = re.fullmatch(r"cancelled@([^:]+):step-(\d{1,9})", text, flags=re.ASCII)
    return None if found is None else Cancelled(found[1], int(found[2]))


def _listed(setting: "Case", recording: Recording, chosen: Sequence[HostOperation]) -> Iterator[Fault]:
    for step, device in recording.jobs:
        yield Cancelled(device, step)


FAMILY = Family(
    {"cancelled": "a mirror job is cancelled by somebody else"},
    _parse,
    _listed,
    "cancelled jobs",
    ours=True,
)
