"""The law recoverable over several cases: what no program can tell apart, and what ours got wrong."""

import itertools

import pytest

from blockops.lab.evidence import Crossroads
from blockops.lab.faults.pace import NoFault
from blockops.lab.judging import Judged
from blockops.lab.laws.judgement import HELD, Judgement, violated
from blockops.lab.laws.recovery import INHERENT, MISSED, RECOVERABLE
from blockops.lab.results import Verdict
from blockops.lab.tally import Tally

OLD = (frozenset({"/vm/d0"}), frozenset({"/vm/d1"}))
NEW = (frozenset({"/vm/s0"}), frozenset({"/vm/s1"}))
NONE = (frozenset[str](), frozenset[str]())
WRONG = violated("d0 lacks write 3", MISSED)


def judged(name: str, view: str, old: object, new: object, judgement: Judgement) -> Judged:
    return Judged(name, {RECOVERABLE: judgement}, crossroads=Crossroads(view, old, new))  # type: ignore[arg-type]


def settled(*cases: Judged) -> Tally:
    """Count each case in a tally of its own and add them up in every order; all must agree."""
    found = []
    for order in itertools.permutations(range(len(cases))):
        whole = Tally()
        for rank in order:
            part = Tally()
            part.count(cases[rank], NoFault(), rank)
            whole.add(part)
        found.append(whole.settled())
    assert all((one.verdicts, one.violations) == (found[0].verdicts, found[0].violations) for one in found)
    return found[0]


def verdicts(tally: Tally) -> dict[Verdict, int]:
    return {verdict: number for (_, verdict), number in tally.verdicts.items()}


def test_equal_views_that_need_different_answers_are_inherent() -> None:
    tally = settled(judged("a", "seen", OLD, NONE, HELD), judged("b", "seen", NONE, NEW, WRONG))
    assert verdicts(tally) == {Verdict.VIOLATED: 2}
    assert list(tally.violations) == [(RECOVERABLE, INHERENT)]
    broken = tally.violations[RECOVERABLE, INHERENT]
    assert (broken.case, broken.count) == ("a", 2)
    assert " a " in broken.sentence
    assert " b," in broken.sentence


def test_different_views_do_not_condemn_each_other() -> None:
    tally = settled(judged("a", "one", OLD, NONE, HELD), judged("b", "two", NONE, NEW, HELD))
    assert verdicts(tally) == {Verdict.HELD: 2}


def test_with_a_common_choice_it_is_our_program_that_was_wrong() -> None:
    tally = settled(judged("a", "seen", OLD, NEW, HELD), judged("b", "seen", NONE, NEW, WRONG))
    assert verdicts(tally) == {Verdict.HELD: 1, Verdict.VIOLATED: 1}
    assert tally.violations[RECOVERABLE, MISSED].case == "b"


def test_one_device_in_dispute_is_enough() -> None:
    half = (frozenset({"/vm/d0"}), frozenset[str]())
    tally = settled(judged("a", "seen", OLD, NONE, HELD), judged("b", "seen", half, NEW, HELD))
    assert list(tally.violations) == [(RECOVERABLE, INHERENT)]


def test_the_smallest_two_that_disagree_are_the_argument() -> None:
    tally = settled(
        judged("a", "seen", OLD, NEW, HELD),
        judged("b", "seen", OLD, NONE, HELD),
        judged("c", "seen", NONE, NEW, HELD),
    )
    sentence = tally.violations[RECOVERABLE, INHERENT].sentence
    assert "in b and in c" in sentence


def test_a_case_that_nothing_could_save_condemns_no_other() -> None:
    hopeless = judged("a", "seen", NONE, NONE, violated("no choice would have been right", INHERENT))
    tally = settled(hopeless, judged("b", "seen", OLD, NONE, HELD))
    assert verdicts(tally) == {Verdict.VIOLATED: 1, Verdict.HELD: 1}


def test_what_ended_well_by_other_means_than_a_choice_of_images_is_no_argument() -> None:
    tally = settled(judged("a", "seen", NONE, NONE, HELD), judged("b", "seen", OLD, NONE, HELD))
    assert verdicts(tally) == {Verdict.HELD: 2}


@pytest.mark.parametrize("judgement", [HELD, WRONG])
def test_what_was_settled_can_be_settled_again(judgement: Judgement) -> None:
    tally = Tally()
    tally.count(judged("a", "seen", OLD, NONE, judgement), NoFault(), 0)
    assert tally.settled() == tally.settled()
