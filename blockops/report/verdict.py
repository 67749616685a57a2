"""Three sentences about a design, computed from its cells and from nothing else.

    1  at its best: the laws that it broke where profile and manager did all that they could, and the use
       cases, if few, in which it did
    2  implementation or design: what hardening removed, and what it did not
    3  reach: what it cannot be asked for, and what it leaves to management

No sentence knows a name: the same cells under another contestant's name read the same.  Identifiers
stand in backquotes, which each form of the report sets in its own way.
"""

from collections.abc import Callable, Iterable, Sequence

import attrs

from blockops.lab.results import Cell
from blockops.report.case import place_of
from blockops.report.tally import Mark, Tally, counted, tally

LISTED = 3
"""How many identifiers a sentence names before it says how many more there are."""


@attrs.frozen
class Standing:
    """One profile under one manager: its tally per law, and which of its use cases are inexpressible.

    *broken_in* are the use cases in which it broke a law.
    """

    profile: str
    manager: str
    tallies: dict[str, Tally]
    use_cases: tuple[str, ...]
    inexpressible: tuple[str, ...]
    broken_in: tuple[str, ...]

    def marked(self, mark: Mark) -> tuple[str, ...]:
        """The laws whose tally has *mark*, in the order of the laws."""
        return tuple(law for law, counts in self.tallies.items() if counts.mark is mark)

    @property
    def broken(self) -> tuple[str, ...]:
        return self.marked(Mark.VIOLATED)

    @property
    def violations(self) -> int:
        return sum(counts.violated for counts in self.tallies.values())

    @property
    def silence(self) -> str:
        """Why nothing can be said of it; empty where something can."""
        if any(counts.judged for counts in self.tallies.values()):
            return ""
        seen = any(counts.cases for counts in self.tallies.values())
        return "no case exercised a law" if seen else "not one case was judged"


def sentences(cells: Sequence[Cell], laws: Sequence[str]) -> tuple[str, str, str]:
    """Return the three sentences on a design whose *cells*, of all profiles and managers, are given.

    *laws* are the ids of all laws, the gravest first.
    """
    if not cells:
        return ("It was not run.", "So nothing is known of its hardening.", "Nor of its reach.")
    profiles = _best_first(cells, lambda cell: cell.profile, ("hardened", "as-posted"))
    managers = _best_first(cells, lambda cell: cell.manager, ("careful", "naive"))
    at = {
        (profile, manager): standing(cells, profile, manager, laws)
        for profile in profiles
        for manager in managers
    }
    best = at[profiles[0], managers[0]]
    posted = at[profiles[1], managers[0]] if len(profiles) > 1 else None
    naive = at[profiles[0], managers[1]] if len(managers) > 1 else None
    if not tally(cells).cases:
        reach = _expresses(best.use_cases, best.inexpressible)
        return ("Not one case of it was judged.", "So nothing is known of its hardening.", f"{reach}.")
    return (_at_best(best), _hardening(best, posted), _reach(best, naive))


def standing(cells: Iterable[Cell], profile: str, manager: str, laws: Sequence[str]) -> Standing:
    """Return how *profile* under *manager* fared over all its use cases."""
    own = [cell for cell in cells if (cell.profile, cell.manager) == (profile, manager)]
    use_cases = tuple(dict.fromkeys(place_of(cell.use_case).use_case for cell in own))
    cannot = {place_of(cell.use_case).use_case for cell in own if cell.inexpressible is not None}
    broken = {place_of(cell.use_case).use_case for cell in own if cell.violated}
    return Standing(
        profile=profile,
        manager=manager,
        tallies={law: tally(cell for cell in own if cell.law == law) for law in laws},
        use_cases=use_cases,
        inexpressible=tuple(use_case for use_case in use_cases if use_case in cannot),
        broken_in=tuple(use_case for use_case in use_cases if use_case in broken),
    )


def _at_best(best: Standing) -> str:
    who = f"{best.profile.capitalize()}, under the {best.manager} manager,"
    silent = (*best.marked(Mark.NOT_EXERCISED), *best.marked(Mark.INEXPRESSIBLE))
    exercised = len(best.tallies) - len(silent)
    unsaid = f"; {_listed(silent)} {_was(silent)} never exercised" if silent else ""
    if best.silence:
        return f"{who} {best.silence}."
    if not best.broken:
        judged = sum(counts.judged for counts in best.tallies.values())
        return (
            f"{who} it broke none of {counted(exercised, 'law')} in {counted(judged, 'judgement')}{unsaid}."
        )
    broke = [
        f"`{law}` in {best.tallies[law].violated:,} of {counted(best.tallies[law].judged, 'case')}"
        f"{_under_lasting(best.tallies[law])}"
        for law in best.broken[:LISTED]
    ]
    which = _joined(broke, _more(best.broken))
    laws = f"{len(best.broken)} of {counted(exercised, 'law')}"
    return f"{who} it broke {laws}{_all_in(best)}: {which}{unsaid}."


def _all_in(best: Standing) -> str:
    """Name the few use cases that all of it comes from: who cannot be asked for them cannot break there."""
    expressed = len(best.use_cases) - len(best.inexpressible)
    few = len(best.broken_in) <= LISTED and len(best.broken_in) < expressed
    return f", all in {_listed(best.broken_in)}" if few else ""


def _under_lasting(counts: Tally) -> str:
    """Tell faults that go on, which nothing may survive, from those that strike once."""
    if not counts.lasting:
        return ""
    number = "all" if counts.lasting == counts.violated else f"{counts.lasting:,}"
    return f" ({number} under faults that struck more than once)"


def _hardening(best: Standing, posted: Standing | None) -> str:
    if posted is None:
        return "It was run in one profile only, so the design is not told apart from the implementation."
    if posted.silence:
        return f"As posted, under the {posted.manager} manager, {posted.silence}."
    now = {law: counts.mark for law, counts in best.tallies.items()}
    gone = tuple(law for law in posted.broken if now[law] is Mark.HELD)
    stays = tuple(law for law in posted.broken if now[law] is Mark.VIOLATED)
    unseen = tuple(law for law in posted.broken if law not in gone and law not in stays)
    added = tuple(law for law in best.broken if law not in posted.broken)
    parts = [
        f"hardening mended {_listed(gone)}" if gone else "",
        f"{_listed(stays)} {_stays(stays)} broken, not removed by us" if stays else "",
        f"{_listed(unseen)}, broken as posted, was not judged when hardened" if unseen else "",
        f"only hardened it breaks {_listed(added)}" if added else "",
    ]
    said = "; ".join(part for part in parts if part)
    if not said:
        return f"As posted it broke no law{'' if best.silence else ' either'}."
    return f"{said[0].upper()}{said[1:]}."


def _reach(best: Standing, naive: Standing | None) -> str:
    reach = _expresses(best.use_cases, best.inexpressible)
    if naive is None:
        return f"{reach}; only one manager was run."
    if naive.silence:
        return f"{reach}; under a naive manager {naive.silence}."
    also = tuple(law for law in naive.broken if law not in best.broken)
    laws = f"{':' if also == naive.broken else ', among them'} {_listed(also)}" if also else ""
    return f"{reach}; {_naive_laws(len(naive.broken), len(best.broken))}{laws}."


def _expresses(use_cases: Sequence[str], cannot: Sequence[str]) -> str:
    everything = "its one use case" if len(use_cases) == 1 else f"all {len(use_cases)} use cases"
    return f"It cannot express {_listed(cannot)}" if cannot else f"It expresses {everything}"


def _naive_laws(naive: int, best: int) -> str:
    if not naive:
        return "a naive manager breaks no law"
    if naive == best:
        return f"a naive manager breaks as many laws, {naive}"
    return f"a naive manager breaks {counted(naive, 'law')} instead of {best or 'none'}"


def _best_first(cells: Iterable[Cell], key: Callable[[Cell], str], order: tuple[str, ...]) -> list[str]:
    """The values of *key* that occur, those of *order* first."""
    found = dict.fromkeys(key(cell) for cell in cells)
    return [*(value for value in order if value in found), *(v for v in found if v not in order)]


def _listed(ids: Sequence[str]) -> str:
    return _joined([f"`{name}`" for name in ids[:LISTED]], _more(ids))


def _more(ids: Sequence[str]) -> int:
    return max(len(ids) - LISTED, 0)


def _joined(parts: Sequence[str], more: int) -> str:
    every = [*parts, f"{more} more"] if more else list(parts)
    return every[0] if len(every) == 1 else f"{', '.join(every[:-1])} and {every[-1]}"


def _was(ids: Sequence[str]) -> str:
    return "was" if len(ids) == 1 else "were"


def _stays(ids: Sequence[str]) -> str:
    return "stays" if len(ids) == 1 else "stay"
