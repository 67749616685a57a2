"""The group snapshot as the catalogue lists it."""

from blockops.commands.profile import Profile
from blockops.management.contestant import Entry
from proposals.group_snapshot.commands import GroupSnapshotCommands
from proposals.group_snapshot.management import PROGRAMS, RECOVER

ENTRY = Entry(
    id="group-snapshot",
    title="one command prepares snapshots of many devices and commits them together",
    author="Jeff Cody",
    page=True,
    make=GroupSnapshotCommands,
    profiles=tuple(Profile),
    programs=PROGRAMS,
    recover=RECOVER,
)
