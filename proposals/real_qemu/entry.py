"""Real QEMU as the catalogue lists it: its list transaction, and its snapshots one by one."""

from collections.abc import Mapping

import attrs

from blockops.commands.profile import Profile
from blockops.management.contestant import Entry, Inexpressible, Program
from proposals.baselines.entry import ENTRIES as BASELINES
from proposals.merged_transaction.entry import ENTRY as MERGED_TRANSACTION

_DRIVEN = ("group-snapshot", "switch-many", "give-up", "retry")
"""The use cases whose commands QEMU has carried out when it answers."""

_NOT_DRIVEN = Inexpressible(
    "of a real QEMU only commands are stepped here, no jobs and no devices that come and go"
)


def _real(entry: Entry, name: str, title: str) -> Entry:
    """Return *entry* with a real QEMU below the same programs."""
    programs = {manager: _driven(known) for manager, known in entry.programs.items()}
    return attrs.evolve(
        entry,
        id=name,
        title=title,
        author="QEMU as installed",
        profiles=(Profile.HARDENED,),
        programs=programs,
        real=True,
    )


def _driven(programs: Mapping[str, Program | Inexpressible]) -> Mapping[str, Program | Inexpressible]:
    return {name: program if name in _DRIVEN else _NOT_DRIVEN for name, program in programs.items()}


_NAIVE_LOOP = next(entry for entry in BASELINES if entry.id == "naive-loop")

ENTRIES = (
    _real(MERGED_TRANSACTION, "real-qemu-transaction", "a real QEMU: a list of snapshots in one command"),
    _real(_NAIVE_LOOP, "real-qemu-loop", "a real QEMU: one snapshot after the other"),
)
