"""A case that is not run because it equals another one is judged as if it had been run."""

import attrs
import pytest

from blockops.lab.exploring import record, space
from blockops.lab.faults.host import HostFault
from blockops.lab.faults.kinds import Kind
from blockops.lab.judging import Judged, Judging, judged
from blockops.lab.results import Verdict
from tests.lab.cases import case

SETTINGS = (
    "group-snapshot.as-posted.naive/group-snapshot-2",
    "drive-migrate.as-posted.careful/give-up-2",
    "transaction.hardened.careful/group-snapshot-2",
    "freeze.hardened.naive/group-snapshot-2",
)
GROUPS = frozenset({"eio", "edquot", "emfile", "enospc", "enoent", "torn", "dropped", "kill"})


@pytest.mark.parametrize("name", SETTINGS)
def test_cases_that_are_not_run_are_judged_as_if_they_had_been(name: str) -> None:
    start = case(f"{name}/no-fault")
    found = space(start, record(start), GROUPS, complete=True)
    judging, answered = Judging(start, found), []
    for fault in found.faults:
        one = judging.judge(fault)
        if one.equal:
            answered.append((fault, one))
    assert len(answered) > 50
    for fault, one in answered[:: max(1, len(answered) // 15)]:
        really = judged(attrs.evolve(start, fault=fault))
        assert one.case == really.case
        assert verdicts(one) == verdicts(really)
        assert (one.struck, really.broken) == (really.struck, ())


def verdicts(one: Judged) -> dict[str, tuple[Verdict, str]]:
    """What a tally counts: sentences may differ in the words of an errno."""
    return {law: (judgement.verdict, judgement.key) for law, judgement in one.judgements.items()}


def test_an_errno_that_somebody_looks_at_is_tried_for_itself() -> None:
    start = case("freeze.as-posted.careful/group-snapshot-2/no-fault")
    recording = record(start)
    number = next(one.number for one in recording.operations if one.operation == "open")
    assert recording.operations[number - 1].path.startswith("/vm/management/")
    judging = Judging(start, space(start, recording, None, complete=True))
    found = [judging.judge(HostFault(kind, number)) for kind in (Kind.EIO, Kind.ENOENT)]
    assert [one.equal for one in found] == [False, False]
