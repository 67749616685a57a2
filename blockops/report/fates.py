"""What became of the faults that were injected: met, met and masked, or not met at all."""

from collections.abc import Callable, Iterable, Sequence

import attrs

from blockops.lab.results import Coverage, Portion

_NOTHING_BREAKS = ("no-fault", "order")
"""The groups of cases without a fault."""


@attrs.frozen
class Fate:
    """Of the cases that *name* stands for: how many faults *struck*, were *masked*, were *not_met*."""

    name: str
    struck: int = 0
    masked: int = 0
    not_met: int = 0

    @property
    def share(self) -> str:
        """How much of what struck was masked, in per cent; "–" of nothing."""
        return f"{100 * self.masked / self.struck:.1f} %" if self.struck else "–"

    @property
    def numbers(self) -> str:
        return f"{self.masked:,} of {self.struck:,}"

    @property
    def words(self) -> str:
        rest = f"; {self.not_met:,} more struck nothing" if self.not_met else ""
        return (
            "faults that struck were masked: no law, request of the guest, answer to management, device or "
            f"file shows anything of them{rest}"
        )


def fates(entries: Sequence[Coverage], name: Callable[[Coverage, Portion], str]) -> tuple[Fate, ...]:
    """Return the fates of all faults, those added up that have the same *name*, in the order of *entries*."""
    found: dict[str, Fate] = {}
    for entry in entries:
        for portion in entry.portions:
            if portion.group not in _NOTHING_BREAKS and portion.judged:
                key = name(entry, portion)
                before = found.get(key, Fate(key))
                found[key] = _added(before, portion)
    return tuple(found.values())


def _added(before: Fate, portion: Portion) -> Fate:
    return Fate(
        before.name,
        before.struck + portion.judged - portion.not_met,
        before.masked + portion.masked,
        before.not_met + portion.not_met,
    )


def by_contestant(entry: Coverage, portion: Portion) -> str:
    """Name a fault by whom it was to strike."""
    return entry.contestant


def by_group(entry: Coverage, portion: Portion) -> str:
    """Name a fault by its group."""
    return portion.group


def together(entries: Iterable[Coverage]) -> Fate:
    """Return the fate of all faults."""
    found = fates(tuple(entries), lambda entry, portion: "all")
    return found[0] if found else Fate("all")
