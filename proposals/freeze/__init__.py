"""Freeze and unfreeze (Anthony Liguori): hold the guest's requests back, and let management do the rest."""

from blockops.commands.mirror import DriveMirror
from blockops.commands.reopen import DriveReopen
from blockops.commands.snapshot import SnapshotSync
from proposals.freeze.api import Freezer
from proposals.freeze.arguments import BlockdevFreeze, BlockdevUnfreeze
from proposals.freeze.commands import FreezeCommands

__all__ = [
    "BlockdevFreeze",
    "BlockdevUnfreeze",
    "DriveMirror",
    "DriveReopen",
    "FreezeCommands",
    "Freezer",
    "SnapshotSync",
]
