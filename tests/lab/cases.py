"""Cases by their ids, and a bounded walk through the space of a setting, as `blockops compare` does it."""

import itertools
import math
from collections.abc import Iterator, Mapping

import attrs

from blockops.lab.case import Case, parse_case
from blockops.lab.evidence import Evidence
from blockops.lab.exploring import record, space
from blockops.lab.faults.fault import Fault
from blockops.lab.faults.pace import NoFault
from blockops.lab.judging import Judged, evidence_of, judged
from blockops.lab.laws import judge
from blockops.lab.laws.judgement import Judgement
from blockops.lab.results import Verdict
from blockops.lab.world import World
from blockops.management.contestant import Contestant
from blockops.management.use_cases import USE_CASES
from proposals.catalogue import contestants

CONTESTANTS: Mapping[str, Contestant] = {contestant.id: contestant for contestant in contestants()}


def case(text: str) -> Case:
    """Return the case with this id, in its standard world."""
    return parse_case(text, CONTESTANTS, {})


def setting(contestant: str, use_case: str, world: World) -> Case:
    """Return the fault-free case of a contestant with a use case in *world*."""
    return Case(CONTESTANTS[contestant], USE_CASES[use_case], world, NoFault())


def seen(text: str) -> Evidence:
    """Run the case with this id and return what is known of it."""
    return evidence_of(case(text))


def verdicts(text: str) -> Mapping[str, Judgement]:
    """Run the case with this id and return what each law says."""
    return judge(seen(text))


def violated(found: Judged) -> dict[str, Judgement]:
    """Return the laws that a case violates."""
    return {
        law: judgement for law, judgement in found.judgements.items() if judgement.verdict is Verdict.VIOLATED
    }


def faults(start: Case, groups: frozenset[str] | None, budget: int, offset: int) -> list[Fault]:
    """Return at most *budget* faults of a setting, spread evenly over the complete list from *offset* on."""
    found = space(start, record(start), groups, complete=True).faults
    # Neither even nor a multiple of three: the list goes round the spans, and the pace of the guest is one
    # of two; all of them shall be met.
    stride = next(
        step for step in itertools.count(max(1, -(-len(found) // budget))) if math.gcd(step, 6) == 1
    )
    return list(found[offset % stride :: stride])


def explore(start: Case, groups: frozenset[str] | None, budget: int, offset: int = 0) -> Iterator[Judged]:
    """Judge the fault-free case of a setting, then at most *budget* of those with a fault."""
    yield judged(start)
    for fault in faults(start, groups, budget, offset):
        yield judged(attrs.evolve(start, fault=fault))
