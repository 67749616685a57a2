"""The claims about freeze whose subject is error handling: A4 and A6, freeze beside the group snapshot."""

from collections.abc import Iterable, Mapping

import attrs

from proposals.catalogue import ENTRIES
from proposals.claims import code
from proposals.claims.claim import Found
from proposals.claims.cost import measured
from proposals.claims.trial import (
    DEATH,
    IN_WORDS,
    LASTING,
    ONCE,
    RESTART,
    Count,
    Trial,
    counted,
    everybody,
    servers_pairs,
    trials,
)

PAGE = tuple(entry.id for entry in ENTRIES if entry.page)
BOTH = ("freeze", "group-snapshot")
MANY = 8


def own_error_handling() -> Found:
    """A4: what becomes of a failure when management stops at the first error, and what care takes."""
    naive = {
        words: {name: _naive(f"{name}.{profile.value}") for name in BOTH}
        for words, profile in IN_WORDS.items()
    }
    branches = {name: _branches(name) for name in PAGE}
    fallible = {name: _fallible_steps(name) for name in PAGE}
    dearer = all(measure["freeze"] > measure["group-snapshot"] for measure in (branches, fallible))
    told = ", ".join(
        f"{words} in {_share(one['freeze'])} cases (with the group snapshot in "
        f"{_share(one['group-snapshot'])})"
        for words, one in naive.items()
    )
    return Found(
        confirms=dearer
        and all(not len(one["group-snapshot"]) and len(one["freeze"]) > 0 for one in naive.values()),
        refutes=all(len(one["freeze"]) <= len(one["group-snapshot"]) for one in naive.values()),
        sentence=(
            f"With freeze a manager that stops at the first error leaves disks half changed or held back: "
            f"{told}. Branches of the careful manager: {_listed(branches)}; steps that can fail, {MANY} "
            f"disks: {_listed(fallible)}."
        ),
        figures={
            f"{name}, {words}: naive, half changed or held back": len(found)
            for words, one in naive.items()
            for name, found in one.items()
        }
        | {f"{name}: branches": number for name, number in branches.items()}
        | {f"{name}: fallible steps, {MANY} disks": number for name, number in fallible.items()},
        cases=tuple(case for one in naive.values() for case in one["freeze"].first),
    )


def _naive(contestant: str) -> Count:
    return counted(trials(f"{contestant}.naive/group-snapshot-2", ONCE), "all-or-nothing", "released")


def _branches(design: str) -> int:
    return code.branches(everybody()[f"{design}.hardened.careful"], "group-snapshot") or 0


def _fallible_steps(design: str) -> int:
    return measured(everybody()[f"{design}.hardened.careful"], "group-snapshot", MANY).fallible_steps


def _listed(measure: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in measure.items())


def _share(found: Count) -> str:
    return f"{len(found)} of {found.cases}"


# ------------------------------------------------------------------------------------------------- A6

HARM = {
    "half changed": ("all-or-nothing",),
    "held back for good": ("released",),
    "acknowledged writes lost": ("nothing-lost",),
}
"""What error handling is there to prevent."""

SORTS = ("single failures", "failing roll-backs", "deaths", "deaths and restarts")
"""What management is put through."""


@attrs.frozen
class Harmed:
    """What a design's careful manager could not prevent: of each harm and sort of trouble the cases."""

    found: Mapping[tuple[str, str], Count]

    @classmethod
    def of(cls, contestant: str) -> "Harmed":
        setting = f"{contestant}.careful/group-snapshot-2"
        loops: tuple[Iterable[Trial], ...] = (
            trials(setting, ONCE, LASTING),
            servers_pairs(setting),
            trials(setting, DEATH),
            trials(setting, RESTART),
        )
        ran = {sort: list(loop) for sort, loop in zip(SORTS, loops, strict=True)}
        return cls(
            {
                (what, sort): counted(ended, *laws)
                for sort, ended in ran.items()
                for what, laws in HARM.items()
            }
        )

    def total(self, what: str) -> int:
        """Return how many cases did this harm."""
        return sum(len(found) for (harm, _), found in self.found.items() if harm == what)

    def told(self) -> str:
        """Name the harm that there was."""
        some = [f"{what} after {sort} {_share(one)}" for (what, sort), one in self.found.items() if len(one)]
        return ", ".join(some) or "nothing"


def cannot_match_it() -> Found:
    """A6: break the careful manager everywhere, its roll-back too, and let it die at every step."""
    at = {
        words: {name: Harmed.of(f"{name}.{profile.value}") for name in BOTH}
        for words, profile in IN_WORDS.items()
    }
    more = {words: _more(one["freeze"], one["group-snapshot"]) for words, one in at.items()}
    fewer = {words: _more(one["group-snapshot"], one["freeze"]) for words, one in at.items()}
    stall = {name: _stall(name) for name in BOTH}
    told = "; ".join(f"{words} {one['freeze'].told()}" for words, one in at.items())
    beside = "; ".join(f"{words} {one['group-snapshot'].told()}" for words, one in at.items())
    return Found(
        confirms=all(more.values()) and not any(fewer.values()),
        refutes=not any(more.values()),
        sentence=(
            f"With freeze a careful manager {_can(at, 'freeze')} make every failure good, with the group "
            f"snapshot it {_can(at, 'group-snapshot')}. What is left of two disks, with freeze: {told}; with "
            f"the group snapshot: {beside}. With nothing broken the guest stands still for {stall['freeze']} "
            f"steps against {stall['group-snapshot']}, {MANY} disks."
        ),
        figures={
            f"{name}, {words}, {what}": harmed.total(what)
            for words, one in at.items()
            for name, harmed in one.items()
            for what in HARM
        }
        | {f"{name}: standstill in steps, {MANY} disks": number for name, number in stall.items()},
        cases=tuple(
            dict.fromkeys(
                case for one in at.values() for found in one["freeze"].found.values() for case in found.first
            )
        ),
    )


def _can(at: Mapping[str, Mapping[str, Harmed]], name: str) -> str:
    return "cannot" if any(one[name].total(what) for one in at.values() for what in HARM) else "can"


def _more(one: Harmed, other: Harmed) -> list[str]:
    return [what for what in HARM if one.total(what) > other.total(what)]


def _stall(design: str) -> int:
    return measured(everybody()[f"{design}.hardened.careful"], "group-snapshot", MANY).stall_steps
