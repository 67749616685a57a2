"""A fault is met or not; one that was met is visible in something, or it is masked."""

from collections.abc import Callable

import attrs
import pytest

from blockops.lab.case import Case
from blockops.lab.evidence import Ending, Evidence, Rest
from blockops.lab.explaining import explained
from blockops.lab.exploring import Space, record, space
from blockops.lab.faults import parse_fault
from blockops.lab.interleaving.order import USUAL
from blockops.lab.judging import Judged, Judging, evidence_of, judged, masked_in, usual_of
from blockops.lab.laws import judge
from blockops.lab.laws.judgement import HELD, NOT_EXERCISED, violated
from blockops.lab.masking import outside
from blockops.lab.replay import watch
from blockops.lab.tally import Tally
from blockops.report.explanation import sentences
from tests.lab.cases import case

SETTING = "transaction.hardened.careful/group-snapshot-2"


def judging() -> Judging:
    start = case(f"{SETTING}/no-fault")
    return Judging(start, space(start, record(start), None, complete=True))


def outcome(fault: str) -> str:
    found = judging().judge(parse_fault(fault))
    assert not (found.masked and not found.struck)
    return "masked" if found.masked else "visible" if found.struck else "not met"


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("no-fault", "visible"),  # nothing that could be masked
        ("short@2", "masked"),  # made good by the next read
        ("eio@2", "visible"),  # management ends with an error
        ("twice@4", "masked"),  # the same was asked and answered once more
        ("guest-runs@32", "masked"),  # pace alone
        ("kill@step-40", "visible"),
        ("manager-dies@3", "visible"),
        ("power-P0@5", "visible"),
        ("manager-restarts@3+1", "visible"),
        ("manager-restarts@3+31", "not met"),  # it had recovered by then
        ("short@2,short@3", "masked"),
        ("short@2,eio@99999", "not met"),
    ],
)
def test_a_fault_is_not_met_or_masked_or_visible(fault: str, says: str) -> None:
    assert outcome(fault) == says


@pytest.mark.parametrize("setting", [SETTING, "group-snapshot.as-posted.naive/group-snapshot-2"])
def test_of_an_equal_case_is_said_what_would_be_said_had_it_been_run(setting: str) -> None:
    start = case(f"{setting}/no-fault")
    found = space(start, record(start), None, complete=True)
    judges, usual = Judging(start, found), usual_of(start)
    equal = [one for one in map(judges.judge, found.faults[: len(found.faults) // 4]) if one.equal]
    assert {one.masked for one in equal} == {True, False}
    for one in equal[:: max(1, len(equal) // 60)]:
        again = judged(case(one.case), usual=usual)
        assert (one.struck, one.masked) == (again.struck, again.masked), one.case


def test_a_second_death_that_equals_the_first_alone_was_not_met() -> None:
    both = judging()
    once, twice = (both.judge(parse_fault(name)) for name in ("manager-restarts@3", "manager-restarts@3+31"))
    assert twice.equal
    assert (once.struck, twice.struck, twice.masked) == (True, False, False)


# ------------------------------------------------------------------------------- what is visible

MASKED = f"{SETTING}/short@2"


def changed(change: Callable[[Evidence], None]) -> bool:
    """Return whether a masked case is still masked once its evidence has been changed."""
    found = evidence_of(case(MASKED))
    judgements = dict(judge(found))
    change(found)
    return masked_in(found, judgements, usual_of(found.case))


def _fail(evidence: Evidence) -> None:
    evidence.ending = Ending.FAILED


def _complain(evidence: Evidence) -> None:
    evidence.failure = "no space"


def _ask_more(evidence: Evidence) -> None:
    evidence.exchanges.append(evidence.exchanges[-1])


def _answer_otherwise(evidence: Evidence) -> None:
    evidence.exchanges[-1].answer = None


def _store_otherwise(evidence: Evidence) -> None:
    evidence.digests_after = {**evidence.digests_after, "/vm/s0.qcow2": b"other bytes"}


def _leave_a_file(evidence: Evidence) -> None:
    evidence.digests_after = {**evidence.digests_after, "/vm/left": b""}


def _misread(evidence: Evidence) -> None:
    evidence.history.misread.append("d0 did not return write 3")


def _show_otherwise(evidence: Evidence) -> None:
    evidence.live = (attrs.evolve(evidence.live[0], data=b""), *evidence.live[1:])


def _book_otherwise(evidence: Evidence) -> None:
    evidence.books = {**evidence.books, "d0": "/vm/d1.qcow2"}


def _hold_on(evidence: Evidence) -> None:
    evidence.rest = Rest(held_back=("d0 is frozen",))


def _die(evidence: Evidence) -> None:
    evidence.killed = True


def test_what_is_not_changed_stays_masked() -> None:
    assert changed(lambda evidence: None)


@pytest.mark.parametrize(
    "change",
    [
        _fail,
        _complain,
        _ask_more,
        _answer_otherwise,
        _store_otherwise,
        _leave_a_file,
        _misread,
        _show_otherwise,
        _book_otherwise,
        _hold_on,
        _die,
    ],
)
def test_whatever_differs_is_visible(change: Callable[[Evidence], None]) -> None:
    assert not changed(change)


def test_what_a_law_finds_is_visible_and_whether_it_was_exercised_is_not() -> None:
    evidence = evidence_of(case(MASKED))
    seen = {
        name: tuple(outside(evidence, {"tidy": judgement}))
        for name, judgement in (
            ("held", HELD),
            ("none", NOT_EXERCISED),
            ("broken", violated("a file is left")),
        )
    }
    assert seen["held"] == seen["none"] != seen["broken"]


# ----------------------------------------------------------------------------------- what is counted


def test_masked_cases_and_those_not_met_are_counted_by_group_of_faults() -> None:
    names = ("no-fault", "short@2", "short+@2", "eio@2", "short@2,eio@99999")
    tally, judges = Tally(), judging()
    for rank, name in enumerate(names):
        fault = parse_fault(name)
        tally.count(judges.judge(fault), fault, rank)
    assert tally.groups == {"no-fault": 1, "short": 2, "eio": 1, "pair": 1}
    assert (tally.masked, tally.unmet) == ({"short": 2}, {"pair": 1})
    both = Tally()
    both.add(tally)
    both.add(tally)
    assert (both.masked, both.unmet) == ({"short": 4}, {"pair": 2})


@pytest.mark.parametrize(("fault", "says"), [("short@2", True), ("eio@2", False), ("no-fault", False)])
def test_explain_says_of_a_masked_case_that_it_is(fault: str, says: bool) -> None:
    told = " ".join(sentences(explained(watch(case(f"{SETTING}/{fault}")))))
    assert ("is masked" in told) is says


def test_the_case_in_which_nothing_breaks_is_run_once_for_all_of_its_setting() -> None:
    start: Case = case("naive-loop.as-posted.naive/group-snapshot-2/no-fault")
    first = usual_of(attrs.evolve(start, fault=parse_fault("eio@3")))
    assert first is not None
    assert usual_of(attrs.evolve(start, fault=parse_fault("eio@4"))) is first


def test_nobody_calls_masked_what_nobody_compared() -> None:
    assert not Judged("a case", {}).masked


def test_under_an_order_a_fault_is_masked_where_the_same_order_without_it_shows_no_difference() -> None:
    ordered = case("naive-loop.as-posted.naive/group-snapshot-2/short@2/g-0@35,g-0@35")
    assert usual_of(ordered) != usual_of(attrs.evolve(ordered, order=USUAL))  # the order itself shows
    assert Judging(ordered, Space((), 0, 0)).judge(ordered.fault).masked
    assert not Judging(ordered, Space((), 0, 0)).judge(parse_fault("eio@12")).masked
