"""Freeze and unfreeze from Python: plain calls that run to their end."""

import attrs

from blockops.commands.mirror import DriveMirror, drive_mirror
from blockops.commands.profile import Mode, Profile
from blockops.commands.reopen import DriveReopen, drive_reopen
from blockops.commands.resize import BlockResize, block_resize
from blockops.commands.snapshot import SnapshotSync, snapshot_sync
from blockops.machine import Machine
from blockops.qmp.command import Client
from blockops.steps import run
from proposals.freeze.arguments import BlockdevFreeze, BlockdevUnfreeze
from proposals.freeze.commands import FreezeCommands


@attrs.define(eq=False)
class Freezer:
    """The proposal's commands as methods of one client; each raises `CommandError`."""

    machine: Machine
    profile: Profile = Profile.HARDENED
    commands: FreezeCommands = attrs.field(init=False)
    client: Client = attrs.field(init=False, factory=lambda: Client("python"))

    def __attrs_post_init__(self) -> None:
        self.commands = FreezeCommands(self.machine, self.profile)

    def freeze(self, device: str) -> None:
        """Hold back the guest's new requests; those in flight have finished afterwards."""
        run(self.commands.freeze(self.client, BlockdevFreeze(device)))

    def unfreeze(self, device: str) -> None:
        """Release what has queued, in order."""
        run(self.commands.unfreeze(self.client, BlockdevUnfreeze(device)))

    def disconnect(self) -> None:
        """Go away as a connection does; hardened thaws what this client froze."""
        run(self.commands.disconnected(self.client))

    def snapshot(
        self, device: str, snapshot_file: str, format: str = "qcow2", mode: Mode | None = None
    ) -> None:
        """Put a new overlay on one device (`blockdev-snapshot-sync`)."""
        run(snapshot_sync(self.machine, self.profile, SnapshotSync(device, snapshot_file, format, mode)))

    def reopen(self, device: str, source: str, format: str | None = None, mode: Mode | None = None) -> None:
        """Show an existing image instead of the current one (`drive-reopen`)."""
        run(drive_reopen(self.machine, self.profile, DriveReopen(device, source, format, mode)))

    def mirror(self, device: str, dest: str, format: str | None = None, mode: Mode | None = None) -> None:
        """Send the guest's writes to a second image as well (`drive-mirror`)."""
        run(drive_mirror(self.machine, self.profile, DriveMirror(device, dest, format, mode)))

    def resize(self, device: str, size: int) -> None:
        """Let the disk of one device grow to *size* bytes (`block_resize`)."""
        run(block_resize(self.machine, self.profile, BlockResize(device, size)))
