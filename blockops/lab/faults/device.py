"""A device is not as management takes it to be, or does not stay so.

unplugged@d0           the machine does not have it (any more) when management begins
no-medium@d1           it has no image then
read-only@d1           its guest may only read
busy@d1                a job has reserved it, until the case has come to rest
unplugged@d1:step-5    it is unplugged after step 5 of the operation, whatever goes on
added@step-5           another device is plugged in after step 5 of the operation
"""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

from blockops.graph.formats import NewImage, create_image, open_node
from blockops.host.memory import MemoryFolder
from blockops.lab.condition import Condition
from blockops.lab.faults.fault import Family, Fault, HostOperation, Recording, numbered

if TYPE_CHECKING:
    from blockops.lab.case import Case
    from blockops.lab.execution import Execution

JOB = "a job of somebody else"
"""Who has reserved a busy device."""

NEWCOMER = "newcomer"
"""The name of the device that is added."""


@attrs.frozen
class Absent(Fault):
    """The machine does not have the device when management begins, though the wish names it."""

    device: str
    group = "unplugged"
    spares_guest = True

    def __str__(self) -> str:
        return f"unplugged@{self.device}"

    def arrange(self, execution: "Execution") -> None:
        execution.unplug(self.device, Condition.ABSENT)


@attrs.frozen
class Unfit(Fault):
    """The device has no medium, is read-only or is busy when management begins."""

    condition: Condition
    device: str
    spares_guest = True

    @property
    def group(self) -> str:
        return _WORDS[self.condition]

    def __str__(self) -> str:
        return f"{self.group}@{self.device}"

    def arrange(self, execution: "Execution") -> None:
        hypervisor = execution.hypervisor
        assert hypervisor is not None, "a case begins with a hypervisor that lives"
        machine, device = hypervisor.machine, hypervisor.machine.device(self.device)
        execution.evidence.conditions[hypervisor.names.index(self.device)] = self.condition
        if self.condition is Condition.BUSY:
            device.user = JOB
            return
        image = execution.case.world.images()[self.device]
        machine.graph.show(self.device, None)
        machine.graph.collect()
        if self.condition is Condition.READ_ONLY:
            device.read_only = True
            how = attrs.evolve(machine.opening, writable=False)
            top = open_node(machine.graph, machine.host, image.path, image.format, how)
            machine.graph.show(self.device, top)

    def relent(self, execution: "Execution") -> None:
        if execution.hypervisor is not None and self.condition is Condition.BUSY:
            device = execution.hypervisor.machine.device(self.device)
            device.user = None if device.user == JOB else device.user


_WORDS = {
    Condition.EMPTY: "no-medium",
    Condition.READ_ONLY: "read-only",
    Condition.BUSY: "busy",
}


@attrs.frozen
class Unplugged(Fault):
    """The device is unplugged after step *step* of the operation."""

    device: str
    step: int
    group = "unplugged"
    spares_guest = True
    passes = True
    changes_membership = True

    def __str__(self) -> str:
        return f"unplugged@{self.device}:step-{self.step}"

    def befall(self, execution: "Execution", step: int) -> None:
        if step == self.step:
            execution.unplug(self.device, Condition.GONE)


@attrs.frozen
class Added(Fault):
    """A device that no wish names is plugged in after step *step* of the operation."""

    step: int
    group = "added"
    spares_guest = True
    passes = True
    changes_membership = True

    def __str__(self) -> str:
        return f"added@step-{self.step}"

    def arrange(self, execution: "Execution") -> None:
        world = execution.case.world
        new = NewImage(f"{NEWCOMER}.qcow2", "qcow2", world.size, cluster_size=world.cluster_size)
        create_image(MemoryFolder(execution.disk), new, durable=True)

    def befall(self, execution: "Execution", step: int) -> None:
        if step == self.step and execution.hypervisor is not None:
            execution.hypervisor.machine.attach(NEWCOMER, f"{NEWCOMER}.qcow2", "qcow2")


_PATTERN = re.compile("(?P<kind>[a-z-]+)@(?P<device>d[0-9]+)(:(?P<step>step-.*))?")


def _parse(text: str) -> Fault | None:
    added = numbered(text, "added@step-")
    if added is not None:
        return Added(added)
    match = _PATTERN.fullmatch(text)
    if match is None:
        return None
    kind, device = match["kind"], match["device"]
    if match["step"] is not None:
        step = numbered(match["step"], "step-")
        return None if step is None or kind != "unplugged" else Unplugged(device, step)
    if kind == "unplugged":
        return Absent(device)
    condition = next((condition for condition, word in _WORDS.items() if word == kind), None)
    return None if condition is None else Unfit(condition, device)


def _listed(setting: "Case", recording: Recording, chosen: Sequence[HostOperation]) -> Iterator[Fault]:
    disks = setting.world.disks()
    for disk in disks:
        yield Absent(disk.device)
        for condition in _WORDS:
            yield Unfit(condition, disk.device)
    for step in range(1, recording.operation_steps + 1):
        yield Added(step)
        for disk in disks:
            yield Unplugged(disk.device, step)


FAMILY = Family(
    {
        "unplugged": "a device is not there, or is unplugged between two steps of the operation",
        "no-medium": "a device has no medium",
        "read-only": "a device is read-only for its guest",
        "busy": "a device is reserved by a job",
        "added": "another device is plugged in between two steps of the operation",
    },
    _parse,
    _listed,
    "devices that are unfit, or come and go",
    ours=True,
)
