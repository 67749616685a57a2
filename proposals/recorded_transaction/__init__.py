"""Recorded transaction: the list form of 1.1, with a durable record of what was intended and decided."""

from proposals.recorded_transaction.api import RecordedTransaction
from proposals.recorded_transaction.commands import RecordedTransactionCommands

__all__ = ["RecordedTransaction", "RecordedTransactionCommands"]
