"""What was tried, in numbers that add up: the coverage box."""

from collections.abc import Sequence

import attrs

from blockops.lab.faults.kinds import Kind
from blockops.lab.results import Coverage, Results
from blockops.report.tally import Tally, tally

_OF_OPERATIONS = frozenset(kind.value for kind in Kind)


@attrs.frozen
class Totals:
    """Sums over all contestants and use cases, and the pairs of them that were left unfinished.

    *kinds* are the ways in which a host operation failed; kills and deaths are counted apart.
    """

    contestants: int
    use_cases: int
    pairs: int
    inexpressible: int
    truncated: tuple[Coverage, ...]
    cases: int
    fault_points: int
    kinds: tuple[str, ...]
    kills: int
    manager_deaths: int
    judgements: int
    by_law: dict[str, Tally]

    @property
    def finished(self) -> int:
        """Pairs of contestant and use case whose promised space was covered to its end."""
        return self.pairs - len(self.truncated)


def totals(results: Results, laws: Sequence[str]) -> Totals:
    """Return the sums over *results*; *laws* are the ids of all laws, in their order."""
    run = [entry for entry in results.coverage if entry.cases]
    refused = {
        (cell.contestant, cell.profile, cell.manager, cell.use_case)
        for cell in results.cells
        if cell.inexpressible is not None
    }
    by_law = {law: tally(cell for cell in results.cells if cell.law == law) for law in laws}
    return Totals(
        contestants=len({(cell.contestant, cell.profile, cell.manager) for cell in results.cells}),
        use_cases=len({cell.use_case for cell in results.cells}),
        pairs=len(run),
        inexpressible=len(refused),
        truncated=tuple(entry for entry in run if entry.truncated),
        cases=sum(entry.cases for entry in run),
        fault_points=sum(entry.fault_points for entry in run),
        kinds=tuple(dict.fromkeys(kind for entry in run for kind in entry.kinds if kind in _OF_OPERATIONS)),
        kills=sum(entry.kills for entry in run),
        manager_deaths=sum(entry.manager_deaths for entry in run),
        judgements=sum(counts.judged for counts in by_law.values()),
        by_law=by_law,
    )
