"""A case that is not run because it equals another one is judged as if it had been run."""

import errno

import attrs
import pytest

from blockops.device import Device, Request
from blockops.errors import Effect
from blockops.lab.exploring import record, space
from blockops.lab.faults.host import HostFault
from blockops.lab.faults.kinds import KINDS_OF, Kind
from blockops.lab.injected import Asked, InjectedError
from blockops.lab.judging import Judged, Judging, judged
from blockops.lab.results import Verdict
from blockops.qcow2 import create, durable
from tests.lab.cases import case

SETTINGS = (
    "group-snapshot.as-posted.naive/group-snapshot-2",
    "drive-migrate.as-posted.careful/give-up-2",
    "transaction.hardened.careful/group-snapshot-2",
    "freeze.hardened.naive/group-snapshot-2",
)
HOST = frozenset({"eio", "edquot", "emfile", "enospc", "enoent", "torn", "dropped"})
PROCESSES = frozenset({"kill", "manager-restarts", "manager-forgets"})


@pytest.mark.parametrize("groups", [HOST, PROCESSES], ids=["host", "processes"])
@pytest.mark.parametrize("name", SETTINGS)
def test_cases_that_are_not_run_are_judged_as_if_they_had_been(name: str, groups: frozenset[str]) -> None:
    start = case(f"{name}/no-fault")
    found = space(start, record(start), groups, complete=True)
    judging, answered = Judging(start, found), []
    for fault in found.faults:
        one = judging.judge(fault)
        if one.equal:
            answered.append((fault, one))
    assert len(answered) > 50
    assert {fault.group for fault, _ in answered} >= groups & PROCESSES
    for fault, one in answered[:: max(1, len(answered) // 25)]:
        really = judged(attrs.evolve(start, fault=fault))
        assert one.case == really.case
        assert verdicts(one) == verdicts(really)
        assert (one.struck, one.lasted(fault), really.broken) == (really.struck, really.lasted(fault), ())


def verdicts(one: Judged) -> dict[str, tuple[Verdict, str]]:
    """What a tally counts: sentences may differ in the words of an errno."""
    return {law: (judgement.verdict, judgement.key) for law, judgement in one.judgements.items()}


def test_an_errno_that_somebody_tells_apart_is_tried_for_itself_and_no_other() -> None:
    start = case("freeze.as-posted.careful/group-snapshot-2/no-fault")
    recording = record(start)
    number = next(one.number for one in recording.operations if one.operation == "open")
    assert recording.operations[number - 1].path.startswith("/vm/management/")
    judging = Judging(start, space(start, recording, None, complete=True))
    kinds = (Kind.EIO, Kind.EACCES, Kind.ENOENT, Kind.EMFILE)
    found = [judging.judge(HostFault(kind, number)) for kind in kinds]
    assert [one.equal for one in found] == [False, True, False, True]


@pytest.mark.parametrize(("operation", "equal"), [("flush", True), ("sync", True), ("write", False)])
def test_what_loses_nothing_fails_alike_before_its_effect_and_after_it(operation: str, equal: bool) -> None:
    start = case("group-snapshot.hardened.careful/group-snapshot-2/no-fault")
    recording = record(start)
    judging = Judging(start, space(start, recording, None, complete=True))
    number = next(one.number for one in recording.operations if one.operation == operation)
    found = [judging.judge(HostFault(Kind.EIO, number, applied=applied)) for applied in (False, True)]
    assert [one.equal for one in found] == [False, equal]


def test_where_somebody_asks_what_holds_after_an_error_nothing_is_taken_to_be_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def curious(self: Device, request: Request) -> None:
        complete(self, request)
        if request.error is not None:
            effects.append(request.error.root.effect)

    effects: list[Effect] = []
    complete = Device.complete
    monkeypatch.setattr(Device, "complete", curious)
    start = case("group-snapshot.hardened.careful/group-snapshot-2/no-fault")
    recording = record(start)
    judging = Judging(start, space(start, recording, None, complete=True))
    flush = next(one for one in recording.operations if (one.operation, one.actor) == ("flush", "guest"))
    found = [judging.judge(HostFault(Kind.EIO, flush.number, applied=applied)) for applied in (False, True)]
    assert [one.equal for one in found] == [False, False]
    assert effects


def test_an_errno_remembers_what_it_was_compared_with_and_a_lookup_all() -> None:
    asked = Asked()
    error = InjectedError("open", "/vm/a", errno.EIO).watched(asked)
    assert "/vm/a: open: Input/output error" in str(error)
    assert not asked.errnos, "printing tells nothing apart"
    assert error.code != errno.ENOENT
    assert error.code == errno.EIO
    assert asked.errnos == {errno.ENOENT, errno.EIO}
    assert error.code not in {errno.ENOSPC, errno.EDQUOT}
    assert asked.errnos >= {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
    assert not asked.effect


def test_a_short_transfer_that_is_made_good_at_once_is_run_no_further_where_that_is_known() -> None:
    start = case("freeze.hardened.careful/group-snapshot-2/no-fault")
    recording = record(start)
    judging = Judging(start, space(start, recording, None, complete=True))
    numbers = [one.number for one in recording.operations if Kind.SHORT in KINDS_OF[one.operation]]
    found = {number: judging.judge(HostFault(Kind.SHORT, number)) for number in numbers}
    equal = [number for number, one in found.items() if one.equal]
    assert len(equal) > len(numbers) / 2
    for number in equal[::7]:
        really = judged(attrs.evolve(start, fault=HostFault(Kind.SHORT, number)))
        assert verdicts(found[number]) == verdicts(really)
        assert (found[number].case, found[number].struck) == (really.case, really.struck)


def test_a_short_transfer_that_nobody_completes_is_run_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: a write that was done by half is taken for done."""
    for module in (durable, create):
        monkeypatch.setattr(module, "write_fully", lambda file, offset, data: file.write(offset, data))
    start = case("freeze.hardened.careful/group-snapshot-2/no-fault")
    recording = record(start)
    judging = Judging(start, space(start, recording, None, complete=True))
    writes = [one for one in recording.operations if one.operation == "write" and one.actor == "hypervisor"]
    assert not any(judging.judge(HostFault(Kind.SHORT, one.number)).equal for one in writes)
