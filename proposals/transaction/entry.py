"""The session transaction as the catalogue lists it."""

from blockops.commands.profile import Profile
from blockops.management.contestant import Entry
from blockops.management.restart import RESTART
from proposals.transaction.commands import TransactionCommands
from proposals.transaction.management import PROGRAMS

ENTRY = Entry(
    id="transaction",
    title="a session: start, queue commands, commit or abort",
    author="Paolo Bonzini",
    page=True,
    make=TransactionCommands,
    profiles=tuple(Profile),
    programs=PROGRAMS,
    restart=RESTART,
)
