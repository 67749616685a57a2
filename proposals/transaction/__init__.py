"""Session transaction (Paolo Bonzini): start, queue commands, then commit or abort them together."""

from blockops.commands.mirror import DriveMirror
from blockops.commands.reopen import DriveReopen
from blockops.commands.snapshot import SnapshotSync
from proposals.transaction.api import Transaction
from proposals.transaction.commands import TransactionCommands

__all__ = ["DriveMirror", "DriveReopen", "SnapshotSync", "Transaction", "TransactionCommands"]
