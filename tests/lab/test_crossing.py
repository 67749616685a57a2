"""Orders crossed with faults: listed under each order, equal cases judged once, shared among workers."""

from collections import Counter

import attrs
import pytest

from blockops.lab.conversion import converter
from blockops.lab.crossing import Crossing, crossed_faults, draw_fault, numbers_of
from blockops.lab.errands import judging as errands_of
from blockops.lab.exploring import record_once, space_of
from blockops.lab.interleaving.judged import orders_of, recorded
from blockops.lab.interleaving.order import Order, parse_order
from blockops.lab.interleaving.search import Ran, Search
from blockops.lab.judging import Judging, judged
from blockops.lab.ordering import ORDERS, judge_crossed, judge_orders_from, survey_orders
from blockops.lab.parts import Depth, Part, Scope, Setting, Survey
from blockops.lab.results import Verdict
from blockops.lab.tally import Tally
from blockops.lab.work import case_of
from blockops.lab.world import Workload, World
from proposals.catalogue import contestants
from tests.lab.cases import CONTESTANTS, case

ORDERED = (
    "group-snapshot.as-posted.naive/group-snapshot-2/no-fault/g-0@35",
    "drive-migrate.hardened.careful/give-up-2/no-fault/o@20",
    "transaction.hardened.careful/retry-2/no-fault/g-2@40,o@60",
    "freeze.hardened.naive/group-snapshot-2/no-fault/g-3@50",
)
FEW = World(devices=1, workload=Workload(before=0, after=0, in_flight=1))
SMALL = Setting("group-snapshot.as-posted.naive", "group-snapshot", FEW)
WHOLE = Scope(frozenset(), inner=True, seed=7, departures=2, hosts=False, whole=True)


@pytest.mark.parametrize("hosts", [True, False])
@pytest.mark.parametrize("name", ORDERED)
def test_faults_are_counted_without_listing_them(name: str, hosts: bool) -> None:
    ordered = case(name)
    recording = record_once(ordered)
    listed = Counter(fault.group for fault in crossed_faults(ordered, recording, hosts=hosts))
    assert numbers_of(recording, hosts=hosts) == listed
    assert hosts is ("eio" in listed)


@pytest.mark.parametrize("name", ORDERED)
def test_cases_that_are_not_run_are_judged_as_if_they_had_been_under_orders_too(name: str) -> None:
    ordered = case(name)
    recording = record_once(ordered)
    faults = tuple(crossed_faults(ordered, recording))
    judging, answered = Judging(ordered, space_of(recording, faults)), []
    for fault in faults:
        one = judging.judge(fault)
        assert one.case.endswith(f"/{fault}/{ordered.order}")
        if one.equal:
            answered.append((fault, one))
    assert len(answered) > 100
    for fault, one in answered[:: max(1, len(answered) // 30)]:
        really = judged(attrs.evolve(ordered, fault=fault))
        assert (one.case, one.struck, really.broken) == (really.case, really.struck, ())
        said = {law: (found.verdict, found.key) for law, found in really.judgements.items()}
        assert {law: (found.verdict, found.key) for law, found in one.judgements.items()} == said


def test_an_order_shifts_what_can_break() -> None:
    ordered = case("naive-loop.as-posted.naive/group-snapshot-2/no-fault/g-0@35,g-0@35")
    usual = record_once(attrs.evolve(ordered, order=Order()))
    assert record_once(ordered).operations != usual.operations


@pytest.mark.parametrize("name", ORDERED)
def test_what_is_drawn_is_one_of_the_faults_of_its_order(name: str) -> None:
    ordered = case(name)
    recording = record_once(ordered)
    listed = {str(fault) for fault in crossed_faults(ordered, recording)}
    drawn = {draw_fault(ordered, recording, seed, hosts=True).partition("/") for seed in range(40)}
    assert {fault for fault, _, _ in drawn} <= listed
    assert {order for _, _, order in drawn} == {str(ordered.order)}
    assert len(drawn) > 20
    assert draw_fault(ordered, recording, 7, hosts=True) == draw_fault(ordered, recording, 7, hosts=True)


def test_parts_of_a_crossing_add_up_in_any_order() -> None:
    recordings = [record_once(case(name)) for name in ORDERED[:3]]
    whole, parts = Crossing(), [Crossing() for _ in recordings]
    for recording, part in zip(recordings, parts, strict=True):
        whole.meet(recording, hosts=True)
        part.meet(recording, hosts=True)
    found = Crossing()
    for part in reversed(parts):
        found.add(part)
    assert (found.orders, found.points, found.groups) == (whole.orders, whole.points, whole.groups)


# ---------------------------------------------------------------------------------------- slice by slice


@pytest.fixture(scope="module")
def survey() -> Survey:
    return survey_orders(contestants, SMALL, WHOLE)


def part_of(depth: Depth, surveyed: Survey) -> Part:
    part = Part(SMALL, CONTESTANTS[SMALL.contestant], depth, WHOLE)
    part.surveyed = surveyed.seen_by(part)
    return part


def test_orders_of_two_departures_are_judged_slice_by_slice_as_in_one_search(survey: Survey) -> None:
    part, tally = part_of(Depth.ORDERS, survey), Tally()
    for errand in errands_of(contestants, [part]):
        tally.add(errand.function(*errand.arguments))
    search, whole = orders_of(case_of(contestants, SMALL), 2), Counter[tuple[str, Verdict]]()
    for ran in search.orders():
        whole.update((law, found.verdict) for law, found in ran.outcome.judgements.items())
    assert (tally.cases, tally.pruned) == (search.counts.explored, search.counts.pruned)
    assert tally.groups == {ORDERS: tally.cases}
    assert tally.verdicts == whole
    # What is counted before anything is judged is what there is: explored, or left out.
    assert tally.cases + tally.pruned == part.surveyed.cases if part.surveyed else 0


def test_leaving_orders_out_loses_no_end_that_two_departures_can_have() -> None:
    start = case_of(contestants, SMALL)

    def run(order: Order, last: bool) -> Ran[tuple[object, ...]]:
        execution = recorded(attrs.evolve(start, order=order))
        answers = [str(one.answer) for one in execution.evidence.exchanges]
        seen = execution.disk.digest(), execution.evidence.tops, tuple(answers)
        return Ran(order, tuple(execution.taken), lambda: seen)

    found = []
    for prune in (True, False):
        search = Search(run, 2, prune)
        found.append(({ran.outcome for ran in search.orders()}, search.counts))
    (pruned, counts), (everything, all_counts) = found
    assert pruned == everything
    assert len(everything) > 50
    assert counts.explored + counts.pruned == all_counts.explored
    assert counts.explored < all_counts.explored / 2


def test_every_order_is_crossed_once_with_every_fault(survey: Survey) -> None:
    crossed = part_of(Depth.CROSSED, survey)
    assert crossed.surveyed is not None
    errands = list(errands_of(contestants, [crossed]))
    met = [first.name for errand in errands for _, first in errand.arguments[-1]]
    assert met == [first.name for first in survey.firsts if first.explored]
    assert len({errand.name for errand in errands}) == len(errands) > 1
    assert crossed.surveyed.cases == sum(first.faults for first in survey.firsts) == crossed.planned
    for errand in errands[:2]:
        tally = errand.function(*errand.arguments)
        assert errand.function is judge_crossed
        assert tally.cases == sum(first.faults for _, first in errand.arguments[-1])
        assert tally.orders == {first.name for _, first in errand.arguments[-1]}
        assert tally.equal > 0


def test_an_order_that_is_equivalent_to_another_is_not_judged_itself(survey: Survey) -> None:
    rank, left_out = next((rank, first) for rank, first in enumerate(survey.firsts) if not first.explored)
    tally = judge_orders_from(contestants, SMALL, WHOLE, ((rank, left_out),))
    assert left_out.faults == 0
    assert tally.cases + tally.pruned == 1 + left_out.further
    order = parse_order(left_out.name)
    assert order is not None
    assert tally.cases < left_out.further


def test_what_is_listed_and_judged_comes_back_from_a_store_as_it_was(survey: Survey) -> None:
    made = converter()
    explored = [(rank, first) for rank, first in enumerate(survey.firsts) if first.explored]
    assert made.loads(made.dumps(survey), Survey) == survey
    for tally in (
        judge_crossed(contestants, SMALL, WHOLE, tuple(explored[:1])),
        judge_orders_from(contestants, SMALL, WHOLE, tuple(explored[-2:])),
    ):
        assert tally.cases > 1
        assert made.loads(made.dumps(tally), Tally) == tally
