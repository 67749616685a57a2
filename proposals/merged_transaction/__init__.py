"""merged-transaction: what QEMU shipped instead: a list of actions and, beside it, mirror jobs."""

from blockops.commands.mirror_job import DriveMirrorJob
from blockops.commands.snapshot import SnapshotSync
from proposals.merged_transaction.api import MergedTransaction
from proposals.merged_transaction.arguments import Abort, Transaction, TransactionAction
from proposals.merged_transaction.commands import MergedTransactionCommands

__all__ = [
    "Abort",
    "DriveMirrorJob",
    "MergedTransaction",
    "MergedTransactionCommands",
    "SnapshotSync",
    "Transaction",
    "TransactionAction",
]
