"""The baselines as the catalogue lists them: as they were, so in one profile only."""

from blockops.commands.profile import Profile
from blockops.management.contestant import Entry
from proposals.baselines.group_snapshot_v1 import GroupSnapshotV1Commands
from proposals.baselines.management import GROUP_SNAPSHOT_V1, LEAVE, NAIVE_LOOP, RECOVER_STOP_CONT, STOP_CONT
from proposals.baselines.naive_loop import NaiveLoopCommands
from proposals.baselines.stop_cont import StopContCommands

ENTRIES = (
    Entry(
        id="naive-loop",
        title="one snapshot after the other",
        author="QEMU before the proposals",
        page=False,
        make=NaiveLoopCommands,
        profiles=(Profile.AS_POSTED,),
        programs=NAIVE_LOOP,
        recover=LEAVE,
    ),
    Entry(
        id="stop-cont",
        title="stop the guest, snapshot each disk, continue",
        author="what people did in 2012",
        page=False,
        make=StopContCommands,
        profiles=(Profile.AS_POSTED,),
        programs=STOP_CONT,
        recover=RECOVER_STOP_CONT,
    ),
    Entry(
        id="group-snapshot-v1",
        title="the first posting of the group snapshot: close and reopen instead of a pivot",
        author="Jeff Cody",
        page=False,
        make=GroupSnapshotV1Commands,
        profiles=(Profile.AS_POSTED,),
        programs=GROUP_SNAPSHOT_V1,
        recover=LEAVE,
    ),
)
