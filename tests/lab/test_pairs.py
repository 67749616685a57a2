"""Pairs of failures: the second is met on the way that the first one made the case take, and each replays."""

import attrs
import pytest

from blockops.errors import InvalidRequest
from blockops.lab.exploring import record, space
from blockops.lab.faults import parse_fault
from blockops.lab.faults.host import PAIR, FaultPair, HostFault
from blockops.lab.faults.kinds import Kind
from blockops.lab.judging import Judging, judged
from blockops.lab.pairs import leading_faults, pairs_after
from blockops.lab.replay import replay
from proposals.catalogue import contestants
from tests.lab.cases import case, seen

SETTING = "group-snapshot.hardened.naive/group-snapshot-2"
START = case(f"{SETTING}/no-fault")
FIRST = next(
    HostFault(Kind.EIO, one.number)
    for one in record(START).operations
    if one.operation == "flush" and one.path == "/vm/s1.qcow2"
)
"""The second overlay's creation fails: what follows is the roll-back."""


def test_the_roll_back_is_what_the_second_fault_strikes() -> None:
    found = pairs_after(START, FIRST)
    removals = [
        pair
        for pair in found
        if seen(f"{SETTING}/{pair}").hits[-1].operation == "unlink" and pair.second.span.value == ""
    ]
    assert len(removals) == 2


def test_every_pair_meets_both_of_its_operations() -> None:
    for pair in pairs_after(START, FIRST):
        evidence = seen(f"{SETTING}/{pair}")
        assert [trouble.first is not None for trouble in evidence.troubles] == [True, True]
        assert evidence.hits[0].number == pair.leading.number
        assert pair.second.number in [hit.number for hit in evidence.hits]
        assert "guest" not in {hit.actor for hit in evidence.hits if hit.number == pair.second.number}


def test_what_a_lasting_first_fault_strikes_itself_is_nobody_s_second() -> None:
    first = HostFault(Kind.EIO, FIRST.number - 1, FIRST.span.LASTING)
    struck = {hit.number for hit in seen(f"{SETTING}/{first}").hits}
    assert not struck & {pair.second.number for pair in pairs_after(START, first)}


def test_pairs_are_listed_where_they_are_asked_for_and_nowhere_else() -> None:
    recording = record(START)
    assert not any(fault.group == PAIR for fault in space(START, recording, None, complete=True).faults)
    found = space(START, recording, frozenset({PAIR}), complete=True).faults
    assert len(set(found)) == len(found) > 500
    leading = [fault.leading for fault in found if isinstance(fault, FaultPair)]
    assert list(dict.fromkeys(leading)) == [
        first for first in leading_faults(recording.operations) if pairs_after(START, first)
    ]
    assert all(parse_fault(str(fault)) == fault for fault in found)


def test_a_pair_replays_by_its_id_and_one_that_meets_nothing_is_refused() -> None:
    pair = pairs_after(START, FIRST)[0]
    assert replay(f"{SETTING}/{pair}", contestants(), {}).case == f"{SETTING}/{pair}"
    for number in (FIRST.number, 999):
        missed = attrs.evolve(pair, second=attrs.evolve(pair.second, number=number))
        with pytest.raises(InvalidRequest, match="strikes nothing"):
            replay(f"{SETTING}/{missed}", contestants(), {})


def test_a_pair_that_is_not_run_is_judged_as_if_it_had_been() -> None:
    found = pairs_after(START, FIRST)
    judging = Judging(START, space(START, record(START), frozenset({"eio"}), complete=True))
    answered = [one for pair in found if (one := judging.judge(pair)).equal]
    assert answered
    for one in answered:
        really = judged(case(one.case))
        assert {law: judgement.key for law, judgement in one.judgements.items()} == {
            law: judgement.key for law, judgement in really.judgements.items()
        }
