"""The session transaction as the catalogue lists it."""

from blockops.commands.profile import Profile
from blockops.management.contestant import Entry
from proposals.transaction.commands import TransactionCommands
from proposals.transaction.management import PROGRAMS, RECOVER

ENTRY = Entry(
    id="transaction",
    title="a session: start, queue commands, commit or abort",
    author="Paolo Bonzini",
    page=True,
    make=TransactionCommands,
    profiles=tuple(Profile),
    programs=PROGRAMS,
    recover=RECOVER,
)
