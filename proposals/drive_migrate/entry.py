"""drive-reopen and drive-migrate as the catalogue lists it."""

from blockops.commands.profile import Profile
from blockops.management.contestant import Entry
from proposals.drive_migrate.commands import DriveMigrateCommands
from proposals.drive_migrate.management import PROGRAMS, RECOVER

ENTRY = Entry(
    id="drive-migrate",
    title="drive-reopen and drive-migrate, one device a call",
    author="Federico Simoncelli",
    page=True,
    make=DriveMigrateCommands,
    profiles=tuple(Profile),
    programs=PROGRAMS,
    recover=RECOVER,
)
