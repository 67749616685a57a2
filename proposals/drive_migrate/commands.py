"""`drive-migrate`: make a prepared image the new top of one device and mirror its writes to another.

Our choice (semantics.md, section 2: only the signature survives): a snapshot onto `new-source` and a
mirror to `dest`, both of one device, both prepared before either is shown.  Both images were made by
management beforehand, with the right backing names; they are opened, never created.
"""

from collections.abc import Mapping

import attrs

from blockops.commands.action import Action, held_still, prepare_all, switch_all
from blockops.commands.mirror import MirrorAction
from blockops.commands.profile import Mode, Profile
from blockops.commands.snapshot import SnapshotAction
from blockops.machine import Machine
from blockops.qmp.command import Client, Command, Event, by_name
from blockops.qmp.shared import plain_reopen, plain_resize, plain_snapshot, query_command
from blockops.steps import Steps
from proposals.drive_migrate.arguments import DriveMigrate


@attrs.define(eq=False)
class DriveMigrateCommands:
    """The proposal over one machine."""

    machine: Machine
    profile: Profile
    events: list[Event] = attrs.field(factory=list)

    @property
    def commands(self) -> Mapping[str, Command]:
        return by_name(
            Command(
                "drive-migrate",
                DriveMigrate,
                self.migrate,
                "Put a prepared image on top of one device and mirror its writes to another image.",
                "page",
                extensions=("mode",),
            ),
            plain_reopen(self.machine, self.profile),
            plain_snapshot(self.machine, self.profile),
            plain_resize(self.machine, self.profile),
            query_command(self.machine),
        )

    def migrate(self, client: Client, wanted: DriveMigrate) -> Steps[None]:
        """Switch to `new-source` and start to mirror to `dest`; after an error neither has happened."""
        actions = self._actions(wanted)
        yield from prepare_all(actions)
        yield from switch_all(self.machine, held_still(self.machine, self.profile, wanted.device), actions)

    def disconnected(self, client: Client) -> Steps[None]:
        """Nothing: mirrors go on."""
        yield from ()

    def _actions(self, wanted: DriveMigrate) -> list[Action]:
        where = (self.machine, self.profile, wanted.device)
        mode = wanted.mode or Mode.EXISTING
        return [
            SnapshotAction(*where, wanted.new_source, wanted.source_format, mode),
            MirrorAction(*where, wanted.dest, wanted.dest_format, mode),
        ]
