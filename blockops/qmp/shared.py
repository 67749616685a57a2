"""The commands that several proposals offer, as entries of their command tables."""

from blockops.commands.mirror import DriveMirror, drive_mirror
from blockops.commands.profile import Profile
from blockops.commands.query import query_block
from blockops.commands.reopen import DriveReopen, drive_reopen
from blockops.commands.resize import BlockResize, block_resize
from blockops.commands.snapshot import SnapshotSync, snapshot_sync
from blockops.machine import Machine
from blockops.qmp.command import Client, Command, Handler, NoArguments
from blockops.steps import Steps


def snapshot_command(handler: Handler) -> Command:
    """Return `blockdev-snapshot-sync`, which every contestant has, as QEMU had."""
    return Command(
        "blockdev-snapshot-sync",
        SnapshotSync,
        handler,
        "Put a new overlay on top of one device.",
        "page",
        extensions=("mode",),
    )


def reopen_command(handler: Handler) -> Command:
    """Return `drive-reopen`; the patches called its argument "new-image-file"."""
    return Command(
        "drive-reopen",
        DriveReopen,
        handler,
        "Show an existing image instead of the current one.",
        "page",
        renamed={"new-image-file": "source"},
        extensions=("mode",),
    )


def mirror_command(handler: Handler) -> Command:
    """Return `drive-mirror`; the patches called its argument "target"."""
    return Command(
        "drive-mirror",
        DriveMirror,
        handler,
        "Send the guest's writes to a second image as well.",
        "page",
        renamed={"target": "dest"},
        extensions=("mode",),
    )


def resize_command(handler: Handler) -> Command:
    """Return `block_resize`, spelt as QEMU spells it; on nobody's page."""
    return Command("block_resize", BlockResize, handler, "Let the disk of one device grow.", "our choice")


def query_command(machine: Machine, *, frozen: bool = False) -> Command:
    """Return `query-block`; *frozen*: its rows say whether the device is frozen (our choice)."""

    def handler(client: Client, arguments: NoArguments) -> Steps[object]:
        return query_block(machine, frozen=frozen)

    return Command("query-block", NoArguments, handler, "Tell what each device shows.", "our choice")


def plain_snapshot(machine: Machine, profile: Profile) -> Command:
    """Return `blockdev-snapshot-sync` that runs at once."""

    def handler(client: Client, wanted: SnapshotSync) -> Steps[object]:
        return snapshot_sync(machine, profile, wanted)

    return snapshot_command(handler)


def plain_reopen(machine: Machine, profile: Profile) -> Command:
    """Return `drive-reopen` that runs at once."""

    def handler(client: Client, wanted: DriveReopen) -> Steps[object]:
        return drive_reopen(machine, profile, wanted)

    return reopen_command(handler)


def plain_mirror(machine: Machine, profile: Profile) -> Command:
    """Return `drive-mirror` that runs at once."""

    def handler(client: Client, wanted: DriveMirror) -> Steps[object]:
        return drive_mirror(machine, profile, wanted)

    return mirror_command(handler)


def plain_resize(machine: Machine, profile: Profile) -> Command:
    """Return `block_resize` that runs at once."""

    def handler(client: Client, wanted: BlockResize) -> Steps[object]:
        return block_resize(machine, profile, wanted)

    return resize_command(handler)
