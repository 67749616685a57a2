"""The session transaction from Python: plain calls that run to their end."""

import attrs

from blockops.commands.mirror import DriveMirror
from blockops.commands.profile import Mode, Profile
from blockops.commands.reopen import DriveReopen
from blockops.commands.resize import BlockResize
from blockops.commands.snapshot import SnapshotSync
from blockops.machine import Machine
from blockops.qmp.command import Client
from blockops.steps import run
from proposals.transaction.arguments import AbortTransaction, CommitTransaction, StartTransaction
from proposals.transaction.commands import TransactionCommands


@attrs.define(eq=False)
class Transaction:
    """The proposal's commands as methods of one client; each raises `CommandError`."""

    machine: Machine
    profile: Profile = Profile.HARDENED
    commands: TransactionCommands = attrs.field(init=False)
    client: Client = attrs.field(init=False, factory=lambda: Client("python"))

    def __attrs_post_init__(self) -> None:
        self.commands = TransactionCommands(self.machine, self.profile)

    def start(self) -> None:
        """Open a transaction: snapshots, reopens and mirrors are queued from now on."""
        run(self.commands.start(self.client, StartTransaction()))

    def commit(self) -> None:
        """Make everything that is queued visible; after an error nothing is, and the transaction is over."""
        run(self.commands.commit(self.client, CommitTransaction()))

    def abort(self) -> None:
        """Undo everything that is queued, in reverse order."""
        run(self.commands.abort(self.client, AbortTransaction()))

    def disconnect(self) -> None:
        """Go away as a connection does: what is open is aborted."""
        run(self.commands.disconnected(self.client))

    def snapshot(
        self, device: str, snapshot_file: str, format: str = "qcow2", mode: Mode | None = None
    ) -> None:
        """Put a new overlay on one device, in a transaction at its commit (`blockdev-snapshot-sync`)."""
        run(self.commands.snapshot(self.client, SnapshotSync(device, snapshot_file, format, mode)))

    def reopen(self, device: str, source: str, format: str | None = None, mode: Mode | None = None) -> None:
        """Show an existing image instead of the current one (`drive-reopen`)."""
        run(self.commands.reopen(self.client, DriveReopen(device, source, format, mode)))

    def mirror(self, device: str, dest: str, format: str | None = None, mode: Mode | None = None) -> None:
        """Send the guest's writes to a second image as well (`drive-mirror`)."""
        run(self.commands.mirror(self.client, DriveMirror(device, dest, format, mode)))

    def resize(self, device: str, size: int) -> None:
        """Let the disk of one device grow to *size* bytes (`block_resize`)."""
        run(self.commands.resize(self.client, BlockResize(device, size)))
