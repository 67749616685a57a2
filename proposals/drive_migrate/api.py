"""drive-migrate from Python: plain calls that run to their end."""

import attrs

from blockops.commands.profile import Mode, Profile
from blockops.commands.reopen import DriveReopen, drive_reopen
from blockops.commands.resize import BlockResize, block_resize
from blockops.commands.snapshot import SnapshotSync, snapshot_sync
from blockops.machine import Machine
from blockops.qmp.command import Client
from blockops.steps import run
from proposals.drive_migrate.arguments import DriveMigrate
from proposals.drive_migrate.commands import DriveMigrateCommands


@attrs.define(eq=False)
class DriveMigration:
    """The proposal's commands as methods; each raises `CommandError`."""

    machine: Machine
    profile: Profile = Profile.HARDENED
    commands: DriveMigrateCommands = attrs.field(init=False)
    client: Client = attrs.field(init=False, factory=lambda: Client("python"))

    def __attrs_post_init__(self) -> None:
        self.commands = DriveMigrateCommands(self.machine, self.profile)

    def migrate(
        self,
        device: str,
        dest: str,
        new_source: str,
        *,
        dest_format: str | None = None,
        source_format: str | None = None,
        mode: Mode | None = None,
    ) -> None:
        """Switch to *new_source* and start to mirror to *dest*; after an error neither has happened."""
        wanted = DriveMigrate(device, dest, new_source, dest_format, source_format, mode)
        run(self.commands.migrate(self.client, wanted))

    def reopen(self, device: str, source: str, format: str | None = None, mode: Mode | None = None) -> None:
        """Show an existing image instead of the current one (`drive-reopen`)."""
        run(drive_reopen(self.machine, self.profile, DriveReopen(device, source, format, mode)))

    def snapshot(
        self, device: str, snapshot_file: str, format: str = "qcow2", mode: Mode | None = None
    ) -> None:
        """Put a new overlay on one device (`blockdev-snapshot-sync`)."""
        run(snapshot_sync(self.machine, self.profile, SnapshotSync(device, snapshot_file, format, mode)))

    def resize(self, device: str, size: int) -> None:
        """Let the disk of one device grow to *size* bytes (`block_resize`)."""
        run(block_resize(self.machine, self.profile, BlockResize(device, size)))
