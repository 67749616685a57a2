"""`blockdev-freeze` and `blockdev-unfreeze`: the instant is the guest's standstill, the rest is management's.

Source: the page's signatures and the plain meaning; no freeze code survives, the rest is our choice
(semantics.md, section 4).  As-posted a disconnect leaves devices frozen for ever.  Hardened thaws them
after a grace period and says so in an event.
"""

from collections.abc import Mapping
from typing import Final

import attrs

from blockops.commands.profile import Profile
from blockops.machine import Machine
from blockops.qmp.command import Client, Command, Event, by_name
from blockops.qmp.shared import plain_mirror, plain_reopen, plain_resize, plain_snapshot, query_command
from blockops.steps import Phase, Step, Steps
from proposals.freeze.arguments import BlockdevFreeze, BlockdevUnfreeze
from proposals.freeze.state import Freezes, Move

# Time counts steps: long enough for a manager to come back and ask, short against a guest's patience.
GRACE_STEPS: Final = 32


@attrs.define(eq=False)
class FreezeCommands:
    """The proposal over one machine; *grace_steps* is how long a lost client's freezes stay (hardened)."""

    machine: Machine
    profile: Profile
    grace_steps: int = GRACE_STEPS
    freezes: Freezes = attrs.field(factory=Freezes)
    events: list[Event] = attrs.field(factory=list)

    @property
    def commands(self) -> Mapping[str, Command]:
        return by_name(
            Command(
                "blockdev-freeze",
                BlockdevFreeze,
                self.freeze,
                "Start no new guest request of a device, and wait for those in flight.",
                "page",
            ),
            Command(
                "blockdev-unfreeze",
                BlockdevUnfreeze,
                self.unfreeze,
                "Start the guest's requests again, in the order in which they came.",
                "page",
            ),
            plain_snapshot(self.machine, self.profile),
            plain_reopen(self.machine, self.profile),
            plain_mirror(self.machine, self.profile),
            plain_resize(self.machine, self.profile),
            query_command(self.machine, frozen=True),
        )

    def freeze(self, client: Client, wanted: BlockdevFreeze) -> Steps[None]:
        """Hold back new requests and let those in flight finish; an error on a frozen device."""
        device = self.machine.device(wanted.device)
        self.freezes.move(device.name, Move.FREEZE, client)
        yield from device.freeze()

    def unfreeze(self, client: Client, wanted: BlockdevUnfreeze) -> Steps[None]:
        """Release what has queued, in order; an error on a device that is not frozen."""
        device = self.machine.device(wanted.device)
        self.freezes.move(device.name, Move.UNFREEZE, client)
        device.unfreeze()
        yield Step(Phase.GATE, device.name)

    def disconnected(self, client: Client) -> Steps[None]:
        """Hardened: after the grace period thaw what *client* froze and nobody has thawed since."""
        if self.profile is Profile.AS_POSTED or not self.freezes.frozen_by(client):
            return
        for _ in range(self.grace_steps):
            yield Step(Phase.WAIT, "grace period")
        for name in self.freezes.frozen_by(client):
            self.freezes.move(name, Move.EXPIRE, client)
            if name not in self.machine.devices:  # it was unplugged
                continue
            self.machine.device(name).unfreeze()
            self.events.append(Event("BLOCKDEV_FREEZE_EXPIRED", {"device": name}))
            yield Step(Phase.GATE, name)
