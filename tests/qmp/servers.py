"""Every server there is, by the name of its contestant."""

from collections.abc import Callable

from blockops.commands.profile import Profile
from blockops.machine import Machine
from blockops.qmp.command import Proposal
from proposals.baselines.group_snapshot_v1 import GroupSnapshotV1Commands
from proposals.baselines.naive_loop import NaiveLoopCommands
from proposals.baselines.stop_cont import StopContCommands
from proposals.drive_migrate import DriveMigrateCommands
from proposals.freeze import FreezeCommands
from proposals.group_snapshot import GroupSnapshotCommands
from proposals.merged_transaction import MergedTransactionCommands
from proposals.transaction import TransactionCommands

PROPOSALS: dict[str, Callable[[Machine, Profile], Proposal]] = {
    "group-snapshot": GroupSnapshotCommands,
    "drive-migrate": DriveMigrateCommands,
    "transaction": TransactionCommands,
    "freeze": FreezeCommands,
    "merged-transaction": MergedTransactionCommands,
    "naive-loop": NaiveLoopCommands,
    "stop-cont": StopContCommands,
}

# The first posting has no hardened form.
CONTESTANTS: list[tuple[str, Profile, Callable[[Machine, Profile], Proposal]]] = [
    (name, profile, make) for name, make in PROPOSALS.items() for profile in Profile
] + [("group-snapshot-v1", Profile.AS_POSTED, GroupSnapshotV1Commands)]

IDS = [f"{name}.{profile.value}" for name, profile, _ in CONTESTANTS]
