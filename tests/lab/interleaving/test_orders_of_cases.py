"""Cases under orders: what a step touches is enough to leave orders out, and a name replays one."""

import attrs
import pytest

from blockops.errors import InvalidRequest
from blockops.lab.case import Case, parse_case
from blockops.lab.interleaving.judged import orders_of, run
from blockops.lab.interleaving.order import USUAL, parse_order
from blockops.lab.interleaving.search import Counts
from blockops.lab.judging import Judged
from blockops.lab.replay import watch
from blockops.lab.results import Verdict
from proposals.catalogue import contestants
from tests.lab.cases import case

Said = frozenset[tuple[str, Verdict, str]]

SKEWED = "naive-loop.as-posted.naive/group-snapshot-2/no-fault/g-0@35,g-0@35"


def said(outcome: Judged) -> Said:
    assert not outcome.broken
    return frozenset((law, found.verdict, found.key) for law, found in outcome.judgements.items())


def outcomes(start: Case, depth: int, *, prune: bool) -> tuple[set[Said], Counts]:
    search = orders_of(start, depth, prune=prune)
    return {said(ran.outcome) for ran in search.orders()}, search.counts


@pytest.mark.parametrize(
    "name",
    [
        "drive-migrate.hardened.careful/group-snapshot-2/no-fault",
        "freeze.as-posted.naive/retry-2/eio@40",
        "merged-transaction.hardened.naive/mirror-many-1/no-fault",
        "naive-loop.as-posted.naive/group-snapshot-2/reply-lost@1",
        "transaction.as-posted.careful/switch-many-2/kill@step-60",
    ],
)
def test_leaving_orders_out_loses_no_outcome_of_one_departure(name: str) -> None:
    pruned, counts = outcomes(case(name), 1, prune=True)
    everything, all_counts = outcomes(case(name), 1, prune=False)
    assert pruned == everything
    assert 0 < counts.pruned < all_counts.explored
    assert counts.explored + counts.pruned == all_counts.explored


def test_leaving_orders_out_loses_no_outcome_of_a_second_departure() -> None:
    start = case(f"{SKEWED.rpartition(',')[0]}")
    pruned, counts = outcomes(start, 1, prune=True)
    everything, all_counts = outcomes(start, 1, prune=False)
    assert pruned == everything
    assert {verdict for one in pruned for law, verdict, _ in one if law == "one-instant"} == {
        Verdict.HELD,
        Verdict.VIOLATED,
    }
    assert counts.explored < all_counts.explored


def test_two_steps_of_the_guest_between_two_commands_tear_what_round_robin_does_not() -> None:
    # One departure does not show it: the chain must get from one disk to the other between two commands.
    assert run(case(SKEWED.rpartition(",")[0])).outcome.judgements["one-instant"].verdict is Verdict.HELD
    assert run(case(SKEWED)).outcome.judgements["one-instant"].verdict is Verdict.VIOLATED


def test_an_empty_order_is_the_schedulers_own() -> None:
    start = case("freeze.hardened.careful/retry-2/eio@30")
    ran = run(start)
    assert ran.outcome.judgements == watch(start).judgements
    assert not any(step.out_of_turn for step in ran.steps)


def test_a_case_under_an_order_replays_by_its_name() -> None:
    replayed = watch(case(SKEWED))
    assert replayed.case == SKEWED
    assert replayed.judgements == run(case(SKEWED)).outcome.judgements
    assert any("g-0 steps out of turn" in event.text for event in replayed.timeline)


def test_the_same_order_gives_the_same_steps() -> None:
    one, other = run(case(SKEWED)), run(case(SKEWED))
    assert (one.order, one.steps) == (other.order, other.steps)
    assert (one.outcome.case, one.outcome.judgements) == (other.outcome.case, other.outcome.judgements)
    assert (one.outcome.broken, one.outcome.crossroads) == (other.outcome.broken, other.outcome.crossroads)


def test_an_order_that_cannot_be_is_refused_by_name() -> None:
    start = case("naive-loop.as-posted.naive/group-snapshot-2/no-fault")
    for order in ("j-d0@3", "g-17@3", "o@5000"):
        asked = attrs.evolve(start, order=parse_order(order) or USUAL)
        with pytest.raises(InvalidRequest, match=order):
            watch(asked)


def test_a_malformed_order_is_named() -> None:
    known = {contestant.id: contestant for contestant in contestants()}
    with pytest.raises(InvalidRequest, match="'guest@3' is no order"):
        parse_case("naive-loop.as-posted.naive/group-snapshot-2/no-fault/guest@3", known, {})
