"""The orders of one case, each run and judged."""

from collections.abc import Mapping

import attrs

from blockops.lab.case import Case
from blockops.lab.gathering import gather
from blockops.lab.interleaving.ordered import OrderedExecution
from blockops.lab.interleaving.search import Ran, Search
from blockops.lab.laws import judge
from blockops.lab.laws.judgement import Judgement


@attrs.frozen
class Outcome:
    """What came of a case under an order: what each law says of it, and what of the core broke."""

    case: str
    judgements: Mapping[str, Judgement]
    broken: tuple[str, ...]


def orders_of(case: Case, depth: int, *, prune: bool = True) -> Search[Outcome]:
    """Return the search through all orders of *case* with at most *depth* departures beyond its own."""
    return Search(lambda order: run(attrs.evolve(case, order=order)), depth, prune, case.order)


def run(case: Case) -> Ran[Outcome]:
    """Run a case under its order, and judge it."""
    execution = OrderedExecution(case, recording=True)
    execution.go()
    evidence = gather(execution)
    outcome = Outcome(case.id, judge(evidence), evidence.broken)
    return Ran(case.order, tuple(execution.taken), outcome)
