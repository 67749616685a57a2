"""What is the core's own doing, and what a contestant did to its files."""

import pytest

from blockops.device import Device, Request
from blockops.host.memory import MemoryFolder
from blockops.lab import gathering
from blockops.lab.evidence import Evidence
from blockops.lab.judging import judged
from tests.lab.cases import case, seen

BAD = "/vm/bad.qcow2"


@pytest.fixture
def evidence() -> Evidence:
    found = seen("group-snapshot.hardened.naive/group-snapshot-2/no-fault")
    found.disk = found.disk.fork()
    file = MemoryFolder(found.disk).create(BAD, replace=False)
    file.write(0, b"QFI\xfb" + bytes(500))
    return found


def test_a_corrupt_image_that_one_handle_wrote_is_the_core_s(evidence: Evidence) -> None:
    evidence.opened, evidence.doubled = (BAD,), ()
    assert [sentence.partition(" is corrupt")[0] for sentence in gathering._corrupted(evidence)] == [BAD]


def test_a_corrupt_image_that_was_open_twice_or_that_nobody_opened_is_not(evidence: Evidence) -> None:
    evidence.opened, evidence.doubled = (BAD,), (BAD,)
    assert gathering._corrupted(evidence) == ()
    evidence.opened, evidence.doubled = ("/vm/s0.qcow2",), ()
    assert gathering._corrupted(evidence) == ()


def test_a_node_that_misreads_is_the_core_s_unless_a_file_of_its_chain_was_overwritten(
    evidence: Evidence,
) -> None:
    evidence.history.same_node = [("d0 did not return write 3", ("/vm/s0.qcow2", "/vm/d0.qcow2"))]
    assert list(gathering._misread(evidence)) == ["d0 did not return write 3"]
    evidence.doubled = ("/vm/d0.qcow2",)
    assert list(gathering._misread(evidence)) == []


def test_a_device_that_returns_other_bytes_than_it_was_given_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Device.complete

    def garbled(device: Device, request: Request) -> None:
        honest(device, request)
        request.data = request.data[::-1]

    monkeypatch.setattr(Device, "complete", garbled)
    found = judged(case("group-snapshot.hardened.naive/group-snapshot-2/guest-runs@28"))
    assert any("did not return write" in sentence for sentence in found.broken)


def test_an_exception_of_our_own_is_a_broken_invariant_not_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(device: Device, request: Request) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(Device, "complete", crash)
    found = judged(case("group-snapshot.hardened.naive/group-snapshot-2/no-fault"))
    assert found.judgements == {}
    assert found.broken == (f"{found.case}: ZeroDivisionError: ours",)
