"""Does the machine go on, now that the trouble is over?  One more operation on every device, and its guest.

The probe is a plain `blockdev-snapshot-sync` to a name that nobody has used, over a connection of its
own, then a write and a flush of the guest and a read of what it wrote.  It runs when everything else is
known, on a disk that the evidence no longer looks at, so that it disturbs no other law.  A device that a
job works on refuses other commands by design: of it only the guest is tried (a job that nobody wants is
the law *released*'s business).
"""

from collections.abc import Iterator

from blockops.device import Device, Operation, Request, RequestState
from blockops.lab.hypervisor import Hypervisor
from blockops.lab.world import ROOT
from blockops.qmp.dispatch import Connection
from blockops.steps import Steps
from blockops.units import SECTOR

PROBE_STEPS = 100
"""Within how many steps the command must end: an undisturbed one takes about ten."""

_MARK = b"the machine goes on".ljust(SECTOR, b".")


def probe(hypervisor: Hypervisor) -> tuple[tuple[str, str], ...]:
    """Try every device; return what did not succeed, as (sentence, sort), at most one for a device."""
    connection = hypervisor.connection.server.connect("probe")
    busy = [job.device for job in hypervisor.machine.background]
    found = (
        _tried(connection, device, busy=device.name in busy) for device in hypervisor.machine.devices.values()
    )
    return tuple(problem for problem in found if problem is not None)


def _tried(connection: Connection, device: Device, *, busy: bool) -> tuple[str, str] | None:
    problem = None if busy else _snapshot_problem(connection, device.name)
    if problem is not None:
        return f"a snapshot of {device.name} does not succeed: {problem}", "snapshot"
    problem = next(_guest_problems(device), None)
    return None if problem is None else (f"the guest cannot go on on {device.name}: {problem}", "guest")


def _snapshot_problem(connection: Connection, name: str) -> str | None:
    arguments = {"device": name, "snapshot-file": f"{ROOT}/probe-{name}.qcow2"}
    reply = _ended(connection.execute({"execute": "blockdev-snapshot-sync", "arguments": arguments}))
    if reply is None:
        return f"it has not ended after {PROBE_STEPS} steps"
    error = reply.get("error")
    return str(error["desc"]) if isinstance(error, dict) else None


def _ended(steps: Steps[dict[str, object]]) -> dict[str, object] | None:
    """Run a command on to its reply; what it waits for is brought about, if that can be done."""
    for _ in range(PROBE_STEPS):
        try:
            step = next(steps)
        except StopIteration as stop:
            reply: dict[str, object] = stop.value
            return reply
        if step.waits_for is not None:
            step.waits_for.complete_next()
    steps.close()
    return None


def _guest_problems(device: Device) -> Iterator[str]:
    if device.read_only:
        return
    reading = Request(Operation.READ, 0, SECTOR)
    for request in (Request(Operation.WRITE, 0, SECTOR, _MARK), Request(Operation.FLUSH), reading):
        device.submit(request)
        if request.state is RequestState.QUEUED:
            yield f"its {request.operation.value} waits at a closed gate"
            return
        device.complete(request)
        if request.error is not None:
            yield f"its {request.operation.value} failed: {request.error}"
            return
    if reading.data != _MARK:
        yield "it does not read what it has just written"
