"""The orders of one case, each run and judged."""

import attrs

from blockops.lab.case import Case
from blockops.lab.gathering import gather
from blockops.lab.interleaving.ordered import OrderedExecution
from blockops.lab.interleaving.search import Ran, Search
from blockops.lab.judging import Judged
from blockops.lab.laws import judge


def orders_of(case: Case, depth: int, *, prune: bool = True) -> Search[Judged]:
    """Return the search through all orders of *case* with at most *depth* departures beyond its own."""
    return Search(lambda order: run(attrs.evolve(case, order=order)), depth, prune, case.order)


def run(case: Case) -> Ran[Judged]:
    """Run a case under its order, and judge it by all laws."""
    execution = recorded(case)
    return Ran(case.order, tuple(execution.taken), _judged(case, execution))


def _judged(case: Case, execution: OrderedExecution) -> Judged:
    try:
        evidence = gather(execution)
        judgements = dict(judge(evidence))
    except Exception as error:  # whatever it is, it is ours, and the run must say so
        return Judged(case.id, {}, (f"{case.id}: {type(error).__name__}: {error}",))
    broken = tuple(f"{case.id}: {sentence}" for sentence in evidence.broken)
    return Judged(case.id, judgements, broken, crossroads=evidence.crossroads)


def recorded(case: Case) -> OrderedExecution:
    """Return the run of a case under its order, come to rest, with the steps that were taken."""
    execution = OrderedExecution(case, recording=True)
    execution.go()
    return execution
