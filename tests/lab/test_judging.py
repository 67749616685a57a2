"""A case that is not run because it equals another one is judged as if it had been run."""

import attrs
import pytest

from blockops.lab.exploring import record, space
from blockops.lab.judging import Judging, judged
from tests.lab.cases import case

SETTINGS = (
    "group-snapshot.as-posted.naive/group-snapshot-2",
    "drive-migrate.as-posted.careful/give-up-2",
    "transaction.hardened.careful/group-snapshot-2",
    "freeze.hardened.naive/group-snapshot-2",
)
GROUPS = frozenset({"eio", "emfile", "enospc", "kill"})


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
        assert (one.case, one.judgements) == (really.case, really.judgements)
        assert really.broken == ()
