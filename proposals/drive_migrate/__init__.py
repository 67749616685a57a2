"""drive-migrate (Federico Simoncelli): switch one device, or snapshot and mirror it in one go."""

from blockops.commands.reopen import DriveReopen
from proposals.drive_migrate.api import DriveMigration
from proposals.drive_migrate.arguments import DriveMigrate
from proposals.drive_migrate.commands import DriveMigrateCommands

__all__ = ["DriveMigrate", "DriveMigrateCommands", "DriveMigration", "DriveReopen"]
