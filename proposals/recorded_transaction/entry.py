"""The recorded transaction as the catalogue lists it, and what it claims."""

from blockops.commands.profile import Profile
from blockops.management.contestant import Entry, Manager
from proposals.recorded_transaction.commands import RecordedTransactionCommands
from proposals.recorded_transaction.management import PROGRAMS, RECOVER

ENTRY = Entry(
    id="recorded-transaction",
    title="a list of actions in one command, with a durable record of what was decided",
    author="this project: the design that 2012 should have chosen",
    page=False,
    make=RecordedTransactionCommands,
    profiles=(Profile.HARDENED,),
    programs=PROGRAMS,
    recover=RECOVER,
)

CLAIMS: dict[Manager, frozenset[str]] = {
    Manager.NAIVE: frozenset(),
    Manager.CAREFUL: frozenset(
        {
            "all-or-nothing",
            "one-instant",
            "content",
            "nothing-lost",
            "released",
            "truthful",
            "recoverable",
            "repeatable",
        }
    ),
}
"""The laws that no single fault makes it break, under each manager; the lab holds it to them.

The naive manager claims nothing: it stops where it is, in the middle of a migration, too.
"""
