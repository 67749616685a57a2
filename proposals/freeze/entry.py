"""Freeze and unfreeze as the catalogue lists it."""

from blockops.commands.profile import Profile
from blockops.management.contestant import Entry
from proposals.freeze.commands import FreezeCommands
from proposals.freeze.management import PROGRAMS, RECOVER

ENTRY = Entry(
    id="freeze",
    title="freeze the devices, change one after the other, unfreeze",
    author="Anthony Liguori",
    page=True,
    make=FreezeCommands,
    profiles=tuple(Profile),
    programs=PROGRAMS,
    recover=RECOVER,
)
