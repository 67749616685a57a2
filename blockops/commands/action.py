"""One change of one device, and how several of them are made together or not at all.

An action goes through four stages.  *prepare*: check, create, open: all that no guest sees.  *secure*:
after the drain, make durable what must be so before anybody switches.  *commit*: switch the device.
*finish*: let go of the way back.  Instead of the last, *revert* undoes a commit, and *abort* drops what
was prepared.  A failed prepare or commit has cleaned up behind itself as far as its profile does.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from blockops.commands.profile import Profile
from blockops.device import Device, drain, resume
from blockops.errors import BlockError, CommandError, DeviceInUse, DeviceIOError, Leftover
from blockops.machine import Machine
from blockops.steps import Phase, Step, Steps


class Action(Protocol):
    """A change of one device; every stage yields a step after each thing that it did."""

    @property
    def device(self) -> str:
        """The name of the device that it changes."""

    def prepare(self) -> Steps[None]:
        """Check, create and open; a `CommandError` leaves nothing prepared."""

    def secure(self) -> Steps[None]:
        """Flush what the switch relies on; the device is drained."""

    def commit(self) -> Steps[None]:
        """Switch the device; after a `CommandError` it is as before, or dead if the error says so."""

    def revert(self) -> Steps[None]:
        """Switch back after a commit."""

    def abort(self) -> Steps[tuple[Leftover, ...]]:
        """Drop what was prepared; return the files that should have gone and could not be removed."""

    def finish(self) -> None:
        """Forget the way back; cannot fail."""


def usable_device(machine: Machine, name: str, user: str | None) -> Device:
    """Return the device *name* if it is free or reserved by *user*, else raise `DeviceInUse`."""
    device = machine.device(name)
    if device.user is not None and device.user != user:
        raise DeviceInUse(name, device.user)
    return device


def held_still(machine: Machine, profile: Profile, name: str) -> list[Device]:
    """Return what a command on the one device *name* drains: 2012 could only drain the whole machine.

    A device that is gone since it was prepared for has nothing to drain.
    """
    devices = machine.devices
    return [device for device in devices.values() if profile is Profile.AS_POSTED or device.name == name]


def flush_device(device: Device) -> Steps[None]:
    """Make what the guest wrote durable, if the device is writable; raises `DeviceIOError`."""
    top = device.top
    if top is not None and top.writable:
        try:
            top.flush()
        except BlockError as error:
            raise DeviceIOError(device.name, error) from error
    yield Step(Phase.FLUSH, device.name)


def prepare_all(actions: Iterable[Action]) -> Steps[None]:
    """Prepare in order; on the first error abort those prepared, attempt none further, and raise it."""
    prepared: list[Action] = []
    try:
        for action in actions:
            yield from action.prepare()
            prepared.append(action)
    except CommandError as error:
        error.leftovers += yield from abort_all(prepared)
        raise


def switch_all(machine: Machine, drained: Iterable[Device], actions: Sequence[Action]) -> Steps[None]:
    """Drain, secure every action, then commit all in order; on an error all of them are aborted.

    *drained*: the devices to hold still meanwhile; their gates are open again afterwards, come what may.
    """
    held = list(drained)
    try:
        yield from drain(held)
        yield from _secure_all(actions)
        yield from commit_all(machine, actions)
    finally:
        resume(held)


def _secure_all(actions: Sequence[Action]) -> Steps[None]:
    try:
        for action in actions:
            yield from action.secure()
    except CommandError as error:
        error.leftovers += yield from abort_all(actions)
        raise


def commit_all(machine: Machine, actions: Sequence[Action]) -> Steps[None]:
    """Commit in order; on an error revert in reverse what was committed, and abort all.

    The devices are drained.  Errors of closing what nobody shows any more are ignored: as-posted for
    fidelity (2012 reported success after them), hardened because it has flushed before.
    """
    committed: list[Action] = []
    try:
        for action in actions:
            yield from action.commit()
            committed.append(action)
    except CommandError as error:
        yield from _revert_all(committed)
        error.leftovers += yield from abort_all(actions)
        raise
    for action in actions:
        action.finish()
    machine.graph.collect()


def _revert_all(committed: Sequence[Action]) -> Steps[None]:
    for action in reversed(committed):
        try:
            yield from action.revert()
        except CommandError:
            continue  # 2012 reported the first error only; the device is dead, the others still go back


def abort_all(actions: Sequence[Action]) -> Steps[tuple[Leftover, ...]]:
    """Abort in reverse order; return the files that could not be removed."""
    leftovers: tuple[Leftover, ...] = ()
    for action in reversed(actions):
        leftovers += yield from action.abort()
    return leftovers
