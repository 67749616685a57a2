"""The orders of one case, each run and judged."""

import functools

import attrs

from blockops.lab.case import Case
from blockops.lab.gathering import gather
from blockops.lab.interleaving.ordered import OrderedExecution, Trace
from blockops.lab.interleaving.search import Ran, Search
from blockops.lab.judging import Judged
from blockops.lab.laws import judge


def orders_of(case: Case, depth: int, *, prune: bool = True) -> Search[Judged]:
    """Return the search through all orders of *case* with at most *depth* departures beyond its own."""
    return Search(lambda order, last: run(attrs.evolve(case, order=order), last), depth, prune, case.order)


def run(case: Case, last: bool = False) -> Ran[Judged]:
    """Run a case under its order; it is judged by all laws when somebody asks what came of it."""
    execution = recorded(case, Trace.DEPARTURES if last else Trace.ALL)
    return Ran(case.order, tuple(execution.taken), functools.partial(judged, case, execution))


def judged(case: Case, execution: OrderedExecution) -> Judged:
    """Judge a case that has come to rest by all laws; what breaks inside the core or the lab is reported."""
    try:
        evidence = gather(execution)
        judgements = dict(judge(evidence))
    except Exception as error:  # whatever it is, it is ours, and the run must say so
        return Judged(case.id, {}, (f"{case.id}: {type(error).__name__}: {error}",))
    broken = tuple(f"{case.id}: {sentence}" for sentence in evidence.broken)
    return Judged(case.id, judgements, broken, crossroads=evidence.crossroads)


def recorded(case: Case, trace: Trace = Trace.ALL) -> OrderedExecution:
    """Return the run of a case under its order, come to rest, with the steps that *trace* asks for."""
    execution = OrderedExecution(case, trace=trace)
    execution.go()
    return execution
