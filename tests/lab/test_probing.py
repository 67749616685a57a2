"""The probe: whatever is over must not stand in the way of what comes next, and is not looked at twice."""

import pytest

import blockops.lab.gathering as gathering_module
from blockops.device import Device, Hold
from blockops.lab.evidence import Evidence
from blockops.lab.execution import Execution
from blockops.lab.hypervisor import Hypervisor
from blockops.lab.laws import judge
from blockops.lab.probing import probe
from blockops.lab.results import Verdict
from tests.lab.cases import case, seen

RIGHT = "group-snapshot.hardened.naive/group-snapshot-2"


@pytest.fixture
def hypervisor() -> Hypervisor:
    """One that has lived through a case in which nothing broke."""
    execution = Execution(case(f"{RIGHT}/no-fault"))
    execution.go()
    assert execution.hypervisor is not None
    return execution.hypervisor


def devices(hypervisor: Hypervisor) -> list[Device]:
    return list(hypervisor.machine.devices.values())


def progress(evidence: Evidence) -> Verdict:
    return judge(evidence)["progress"].verdict


def test_where_nothing_is_in_the_way_everything_succeeds(hypervisor: Hypervisor) -> None:
    assert probe(hypervisor) == ()
    assert hypervisor.tops() == ("/vm/probe-d0.qcow2", "/vm/probe-d1.qcow2")


def test_each_device_is_reported_for_itself(hypervisor: Hypervisor) -> None:
    first, second = devices(hypervisor)
    first.user = "a transaction"
    second.close_gate(Hold.FREEZE)
    assert probe(hypervisor) == (
        ("a snapshot of d0 does not succeed: Device 'd0' is in use by a transaction", "snapshot"),
        ("the guest cannot go on on d1: its write waits at a closed gate", "guest"),
    )


def test_a_guest_whose_writes_fail_cannot_go_on(
    hypervisor: Hypervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blockops.lab.probing._snapshot_problem", lambda *_of: None)
    hypervisor.folder.close_all()
    assert [sentence.partition(" failed")[0] for sentence, _ in probe(hypervisor)] == [
        "the guest cannot go on on d0: its write",
        "the guest cannot go on on d1: its write",
    ]


def test_a_read_only_device_owes_no_write(hypervisor: Hypervisor) -> None:
    devices(hypervisor)[0].read_only = True
    assert probe(hypervisor) == ()


def test_a_command_that_never_ends_is_given_up(
    hypervisor: Hypervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    hypervisor.connection.server._busy = True
    assert [sort for _, sort in probe(hypervisor)] == ["snapshot", "snapshot"]


def test_it_is_tried_after_a_fault_of_the_host_and_only_where_the_hypervisor_lives() -> None:
    assert progress(seen(f"{RIGHT}/eio@21")) is Verdict.HELD
    assert progress(seen(f"{RIGHT}/enospc+@21")) is Verdict.HELD
    assert progress(seen(f"{RIGHT}/no-fault")) is Verdict.NOT_EXERCISED
    assert progress(seen(f"{RIGHT}/kill@step-20")) is Verdict.NOT_EXERCISED


def test_a_dead_device_makes_no_progress() -> None:
    found = judge(seen("naive-loop.as-posted.naive/group-snapshot-2/eio+@1"))["progress"]
    assert (found.verdict, found.sentence) == (
        Verdict.VIOLATED,
        "a snapshot of d1 does not succeed: Device 'd1' has no medium",
    )


def test_no_other_law_sees_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    probed = [seen(f"{RIGHT}/eio@{number}") for number in range(1, 40, 3)]
    monkeypatch.setattr(gathering_module, "probe", lambda hypervisor: ())
    for evidence in probed:
        alone = seen(evidence.case.id)
        assert judge(evidence) == judge(alone)
        assert evidence.digests_after == alone.digests_after
        assert evidence.disk.digest() == alone.disk.digest()
