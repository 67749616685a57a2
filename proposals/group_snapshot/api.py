"""Group snapshot from Python: plain calls that run to their end."""

from collections.abc import Iterable

import attrs

from blockops.commands.profile import Mode, Profile
from blockops.commands.resize import BlockResize, block_resize
from blockops.commands.snapshot import SnapshotSync, snapshot_sync
from blockops.machine import Machine
from blockops.qmp.command import Client
from blockops.steps import run
from proposals.group_snapshot.arguments import GroupSnapshotSync, SnapshotDev
from proposals.group_snapshot.commands import GroupSnapshotCommands


@attrs.define(eq=False)
class GroupSnapshot:
    """The proposal's commands as methods; each raises `CommandError`."""

    machine: Machine
    profile: Profile = Profile.HARDENED
    commands: GroupSnapshotCommands = attrs.field(init=False)
    client: Client = attrs.field(init=False, factory=lambda: Client("python"))

    def __attrs_post_init__(self) -> None:
        self.commands = GroupSnapshotCommands(self.machine, self.profile)

    def group_snapshot(self, devlist: Iterable[SnapshotDev]) -> None:
        """Put every overlay of the list on its device; after an error no device has changed."""
        run(self.commands.group_snapshot(self.client, GroupSnapshotSync(tuple(devlist))))

    def snapshot(
        self, device: str, snapshot_file: str, format: str = "qcow2", mode: Mode | None = None
    ) -> None:
        """Put a new overlay on one device (`blockdev-snapshot-sync`)."""
        run(snapshot_sync(self.machine, self.profile, SnapshotSync(device, snapshot_file, format, mode)))

    def resize(self, device: str, size: int) -> None:
        """Let the disk of one device grow to *size* bytes (`block_resize`)."""
        run(block_resize(self.machine, self.profile, BlockResize(device, size)))
