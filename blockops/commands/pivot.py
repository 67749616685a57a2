"""Actions whose commit is a switch in memory, which cannot fail (group snapshot's idea)."""

import abc
from collections.abc import Sequence

import attrs

from blockops.commands.action import flush_device, usable_device
from blockops.commands.images import Images, naming
from blockops.commands.profile import Profile
from blockops.device import Device
from blockops.errors import CommandError, Leftover
from blockops.graph.change import Change, Plan
from blockops.graph.graph import refuse_long_chain
from blockops.graph.node import ImageNode, Node
from blockops.machine import Machine
from blockops.steps import Phase, Step, Steps


@attrs.define(eq=False)
class Pivot(abc.ABC):
    """Prepares nodes in a plan of its own; commit and revert only assign.

    *user*: on whose behalf a device may be reserved already (a transaction), or None.
    """

    machine: Machine
    profile: Profile
    device: str
    user: str | None = attrs.field(default=None, kw_only=True)
    images: Images = attrs.field(init=False)
    plan: Plan = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.images = Images(self.machine, self.profile, self.device)

    @abc.abstractmethod
    def _prepare(self) -> Steps[None]:
        """Check, create, open, and `_show` what is to be shown."""

    @abc.abstractmethod
    def _prepared(self) -> Sequence[tuple[str, ImageNode]]:
        """Return the files, by the name the caller knows, that the switch will rely on."""

    def prepare(self) -> Steps[None]:
        self.plan = self.machine.graph.plan()
        try:
            yield from self._prepare()
        except CommandError as error:
            error.leftovers += yield from self.abort()
            raise

    def _show(self, change: Change) -> None:
        self.plan.add(change)

    def usable(self) -> Device:
        """Return the device if it exists and nobody else has reserved it."""
        return usable_device(self.machine, self.device, self.user)

    def room_above(self, device: Device, filename: str) -> Node:
        """Return what the device shows; raises where there is no medium, or too long a chain for one more."""
        top = device.medium
        with naming(filename, self.device):
            refuse_long_chain(self.machine.host.resolve(filename), 1, top)
        return top

    def secure(self) -> Steps[None]:
        """Flush the device; hardened flushes the new images as well, so that the switch survives a crash."""
        yield from flush_device(self.machine.device(self.device))
        if self.images.hardened:
            for filename, node in self._prepared():
                with naming(filename, self.device):
                    node.flush()
                yield Step(Phase.FLUSH, filename)

    def commit(self) -> Steps[None]:
        self.machine.device(self.device)  # it may be gone since it was prepared
        for change in self.plan.commit():
            yield Step(Phase.PIVOT, change.device)

    def revert(self) -> Steps[None]:
        self.plan.revert()
        yield Step(Phase.PIVOT, self.device)

    def abort(self) -> Steps[tuple[Leftover, ...]]:
        self.plan.abandon()
        yield Step(Phase.CLOSE, self.device)
        return (yield from self.images.remove())

    def finish(self) -> None:
        self.plan.settle()
