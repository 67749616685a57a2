"""Everybody who is compared: the page's four proposals, the design of our own, what QEMU shipped, the
baselines, and whom other packages bring.
"""

from functools import cache

from blockops.errors import InvalidRequest
from blockops.lab.plugins import plugged_in
from blockops.lab.scenario import register
from blockops.management.contestant import Contestant, Entry, Manager
from proposals.baselines.entry import ENTRIES as BASELINES
from proposals.drive_migrate.entry import ENTRY as DRIVE_MIGRATE
from proposals.freeze.entry import ENTRY as FREEZE
from proposals.group_snapshot.entry import ENTRY as GROUP_SNAPSHOT
from proposals.merged_transaction.entry import ENTRY as MERGED_TRANSACTION
from proposals.real_qemu.entry import ENTRIES as REAL_QEMU
from proposals.recorded_transaction.entry import ENTRY as RECORDED_TRANSACTION
from proposals.scenarios.wild import SCENARIOS
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


@cache
def _entries() -> tuple[Entry, ...]:
    found = list(ENTRIES)
    for scenario in SCENARIOS.values():
        register(scenario)
    for entry in plugged_in().entries:
        if entry.id in {known.id for known in found}:
            raise InvalidRequest(f"contestant '{entry.id}'", "two packages bring one of that name")
        found.append(entry)
    return tuple(found)


@cache
def everybody() -> tuple[Contestant, ...]:
    """Return all contestants and, behind them, a real QEMU, which takes part only where it is named."""
    return (*contestants(), *_in_each_profile(REAL_QEMU))


def contestants() -> tuple[Contestant, ...]:
    """Return every entry in each of its profiles under each manager, those of other packages last.

    With them comes all else that other packages bring, and the scenarios; raises `UnusablePlugIn`.
    """
    return _in_each_profile(_entries())


def _in_each_profile(entries: tuple[Entry, ...]) -> tuple[Contestant, ...]:
    return tuple(
        Contestant(entry, profile, manager)
        for entry in entries
        for profile in entry.profiles
        for manager in Manager
    )
