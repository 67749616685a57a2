"""stop-cont: stop the guest, snapshot each disk, let it go on: what people did in 2012.

Stopping holds every device's requests back and waits for those in flight, then flushes every disk; the
result of the flush is ignored, as QEMU of the time ignored it.  A second `stop` or `cont` does nothing.
"""

from collections.abc import Mapping

import attrs

from blockops.commands.profile import Profile
from blockops.commands.snapshot import flush_ignoring_errors
from blockops.machine import Machine
from blockops.qmp.command import Client, Command, Event, NoArguments, by_name
from blockops.qmp.shared import plain_snapshot, query_command
from blockops.steps import Phase, Step, Steps


@attrs.define(eq=False)
class StopContCommands:
    """`blockdev-snapshot-sync`, and a switch for the whole guest."""

    machine: Machine
    profile: Profile
    events: list[Event] = attrs.field(factory=list)

    @property
    def commands(self) -> Mapping[str, Command]:
        return by_name(
            Command("stop", NoArguments, self.stop, "Stop the guest.", "patch"),
            Command("cont", NoArguments, self.cont, "Let the guest go on.", "patch"),
            plain_snapshot(self.machine, self.profile),
            query_command(self.machine),
        )

    def stop(self, client: Client, wanted: NoArguments) -> Steps[None]:
        """Hold every request back, wait for those in flight, flush."""
        self.machine.stop()
        for device in tuple(self.machine.devices.values()):
            yield from device.settled()
        for name in tuple(self.machine.devices):
            yield from flush_ignoring_errors(self.machine, name)

    def cont(self, client: Client, wanted: NoArguments) -> Steps[None]:
        """Start what has queued."""
        self.machine.cont()
        yield Step(Phase.GATE, "guest")

    def disconnected(self, client: Client) -> Steps[None]:
        """Nothing: the guest stays as it is."""
        yield from ()
