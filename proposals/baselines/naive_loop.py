"""naive-loop: snapshot one disk after the other; nothing but `blockdev-snapshot-sync`."""

from collections.abc import Mapping

import attrs

from blockops.commands.profile import Profile
from blockops.machine import Machine
from blockops.qmp.command import Client, Command, Event, by_name
from blockops.qmp.shared import plain_snapshot, query_command
from blockops.steps import Steps


@attrs.define(eq=False)
class NaiveLoopCommands:
    """What QEMU had before any of the proposals."""

    machine: Machine
    profile: Profile
    events: list[Event] = attrs.field(factory=list)

    @property
    def commands(self) -> Mapping[str, Command]:
        return by_name(plain_snapshot(self.machine, self.profile), query_command(self.machine))

    def disconnected(self, client: Client) -> Steps[None]:
        """Nothing: no command leaves anything open."""
        yield from ()
