"""The list transaction that QEMU shipped, as the catalogue lists it."""

from blockops.commands.profile import Profile
from blockops.management.contestant import Entry
from proposals.merged_transaction.commands import MergedTransactionCommands
from proposals.merged_transaction.management import PROGRAMS, RECOVER

ENTRY = Entry(
    id="merged-transaction",
    title="what QEMU shipped: a list of snapshots in one command, and mirror jobs beside it",
    author="QEMU 1.1 and 1.3",
    page=False,
    make=MergedTransactionCommands,
    profiles=tuple(Profile),
    programs=PROGRAMS,
    recover=RECOVER,
)
