"""Everybody who is compared: the page's four proposals, the design of our own, what QEMU shipped, then the
baselines.
"""

from blockops.management.contestant import Contestant, Entry, Manager
from proposals.baselines.entry import ENTRIES as BASELINES
from proposals.drive_migrate.entry import ENTRY as DRIVE_MIGRATE
from proposals.freeze.entry import ENTRY as FREEZE
from proposals.group_snapshot.entry import ENTRY as GROUP_SNAPSHOT
from proposals.merged_transaction.entry import ENTRY as MERGED_TRANSACTION
from proposals.recorded_transaction.entry import ENTRY as RECORDED_TRANSACTION
from proposals.transaction.entry import ENTRY as TRANSACTION

ENTRIES: tuple[Entry, ...] = (
    GROUP_SNAPSHOT,
    DRIVE_MIGRATE,
    TRANSACTION,
    FREEZE,
    RECORDED_TRANSACTION,
    MERGED_TRANSACTION,
    *BASELINES,
)
"""Those of the page in its order, then the others."""


def contestants() -> tuple[Contestant, ...]:
    """Return every entry in each of its profiles under each manager."""
    return tuple(
        Contestant(entry, profile, manager)
        for entry in ENTRIES
        for profile in entry.profiles
        for manager in Manager
    )
