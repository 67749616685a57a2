"""Faults by their names, and what each does to a host that is otherwise sound."""

import errno
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockops.errors import Effect, HostError
from blockops.graph.formats import NewImage, Opening, create_image, open_node
from blockops.graph.graph import Graph
from blockops.host.api import HostFile, HostFolder, write_fully
from blockops.host.memory import MemoryDisk, MemoryFolder
from blockops.lab.condition import Condition
from blockops.lab.faults import GROUPS, parse_fault
from blockops.lab.faults.device import Absent, Added, Unfit, Unplugged
from blockops.lab.faults.fault import Fault, HostOperation
from blockops.lab.faults.host import FaultPair, HostFault, Span
from blockops.lab.faults.kinds import ERRNO, KINDS_OF, Kind, scope_of, scopes
from blockops.lab.faults.management import ManagerDies
from blockops.lab.faults.pace import GuestLags, GuestRuns, NoFault
from blockops.lab.faults.power import PowerLoss
from blockops.lab.faults.process import KilledAtOperation, KilledAtStep
from blockops.lab.faults.surroundings import Occupied
from blockops.lab.hosts import Clock, FaultyFile, FaultyFolder, ProcessKilled
from tests.contracts.host_contract import HostContract
from tests.contracts.host_world import Host, code_of, content, put

NUMBERS = st.integers(0, 999_999_999)
DEVICES = st.integers(0, 127).map("d{}".format)
HOST_FAULTS = st.builds(HostFault, st.sampled_from(Kind), NUMBERS, st.sampled_from(Span), st.booleans())
FAULTS: st.SearchStrategy[Fault] = st.one_of(
    st.just(NoFault()),
    HOST_FAULTS,
    st.builds(FaultPair, HOST_FAULTS, HOST_FAULTS),
    st.builds(Occupied, DEVICES),
    *(st.builds(kind, NUMBERS) for kind in (KilledAtOperation, KilledAtStep, ManagerDies)),
    *(st.builds(kind, NUMBERS) for kind in (GuestRuns, GuestLags, Added)),
    st.builds(Absent, DEVICES),
    st.builds(Unplugged, DEVICES, NUMBERS),
    st.builds(PowerLoss, st.sampled_from(["P0", "P3+s0.qcow2=1.2c512+names=none", "P7"]), NUMBERS),
    st.builds(Unfit, st.sampled_from([Condition.EMPTY, Condition.READ_ONLY, Condition.BUSY]), DEVICES),
)
WHO_CAN: dict[str, Callable[[FaultyFolder, HostFile], object]] = {
    "create": lambda folder, file: folder.create("new", replace=False),
    "open": lambda folder, file: folder.open("file", writable=False),
    "read": lambda folder, file: file.read(0, 4),
    "write": lambda folder, file: file.write(0, b"x"),
    "truncate": lambda folder, file: file.truncate(1),
    "flush": lambda folder, file: file.flush(),
    "rename": lambda folder, file: folder.rename("file", "other"),
    "unlink": lambda folder, file: folder.unlink("file"),
    "sync": lambda folder, file: folder.sync(),
}
"""One call of each host operation."""


@given(FAULTS)
def test_a_fault_is_what_its_name_says(fault: Fault) -> None:
    assert parse_fault(str(fault)) == fault
    assert fault.group in GROUPS


@pytest.mark.parametrize(
    "text",
    ["", "eio", "eio@", "eio@x", "eio@-1", "eio@٣", "eio@007", "rot@3", "kill+@3", "no-fault+", "kill@step-",
     "kill@step-x", "unplugged@", "unplugged@d1:", "unplugged@d1:step-07", "busy@d1:step-3", "added@d1",
     "no-medium@step-3", "manager-dies@step-3", "manager-dies+@3", "guest-runs+@3", "eio++@3", "eio~!@3",
     "eio+~@3", "eio@3,", ",eio@3", "eio@3,kill@4", "eio@3,eio@4,eio@5", "eio@1234567890"],
)  # fmt: skip
def test_what_is_no_fault_s_name_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="is not a fault"):
        parse_fault(text)


# ------------------------------------------------------------------------------------- the host's faults


class TestFaultyHostWithoutAFault(HostContract):
    @pytest.fixture
    def host(self) -> Host:
        disk = MemoryDisk()
        disk.make_folder("/vm/sub")
        clock = Clock(NoFault(), recording=True, running=True)
        return Host(FaultyFolder(MemoryFolder(disk), clock), FaultyFolder(MemoryFolder(disk), clock))


class TestFaultyHostAfterItsFault(HostContract):
    @pytest.fixture
    def host(self) -> Host:
        disk = MemoryDisk()
        disk.make_folder("/vm/sub")
        clock = Clock(HostFault(Kind.EIO, 1), running=True)
        assert clock.tick("read", "/elsewhere") is clock.fault
        return Host(FaultyFolder(MemoryFolder(disk), clock), FaultyFolder(MemoryFolder(disk), clock))


def scene(fault: Fault) -> tuple[FaultyFolder, FaultyFile, Clock]:
    """A folder with one file of two sectors that is open for writing; the next operation is number 1."""
    clock = Clock(fault)
    folder = FaultyFolder(MemoryFolder(MemoryDisk()), clock)
    put(folder, "file", b"a" * 1024)
    file = folder.open("file", writable=True)
    file.flush()
    clock.running = True
    return folder, file, clock


@pytest.mark.parametrize("operation", WHO_CAN)
def test_every_kind_that_applies_fails_with_its_errno_and_without_effect(operation: str) -> None:
    for kind in KINDS_OF[operation]:
        if kind in (Kind.SHORT, Kind.TORN):
            continue
        folder, file, clock = scene(HostFault(kind, 1))
        with pytest.raises(HostError) as caught:
            WHO_CAN[operation](folder, file)
        assert (caught.value.code, caught.value.operation) == (ERRNO[kind], operation)
        assert [hit.operation for hit in clock.hits] == [operation]
        clock.disarm()
        assert list(folder.names()) == ["/vm/file"]
        assert content(folder, "file") == b"a" * 1024
        WHO_CAN[operation](folder, file)


def test_every_operation_has_kinds_and_every_kind_is_somebody_s() -> None:
    assert set(KINDS_OF) == set(WHO_CAN)
    assert {kind for kinds in KINDS_OF.values() for kind in kinds} == set(Kind)
    assert all(Kind.EIO in kinds for kinds in KINDS_OF.values())
    assert not any(Kind.ENOSPC in KINDS_OF[operation] for operation in ("open", "read", "unlink"))


def test_a_torn_write_has_persisted_the_first_half_of_its_sectors() -> None:
    _, file, clock = scene(HostFault(Kind.TORN, 1))
    with pytest.raises(HostError) as caught:
        file.write(0, b"b" * 2048)
    assert (caught.value.code, caught.value.effect) == (errno.EIO, Effect.UNKNOWN)
    clock.disarm()
    assert file.read(0, 4096) == b"b" * 1024


def test_a_torn_write_of_one_sector_has_persisted_nothing() -> None:
    _, file, clock = scene(HostFault(Kind.TORN, 1))
    with pytest.raises(HostError):
        file.write(0, b"b" * 512)
    clock.disarm()
    assert file.read(0, 4096) == b"a" * 1024


def test_a_short_transfer_does_half_of_it_and_says_so() -> None:
    _, file, _ = scene(HostFault(Kind.SHORT, 1))
    assert file.write(0, b"b" * 1024) == 512
    assert file.read(0, 4096) == b"b" * 512 + b"a" * 512
    _, file, _ = scene(HostFault(Kind.SHORT, 1))
    assert file.read(0, 1024) == b"a" * 512


@pytest.mark.parametrize("span", Span)
def test_short_transfers_do_not_show_through_an_image(span: Span) -> None:
    """`host/api.py`: short transfers are allowed, so no layer above may notice."""
    disk = MemoryDisk()
    create_image(MemoryFolder(disk), NewImage("image", "qcow2", 65536, cluster_size=4096), durable=True)
    struck = 0
    for number in range(1, 40):
        clock = Clock(HostFault(Kind.SHORT, number, span), running=True)
        node = open_node(Graph(), FaultyFolder(MemoryFolder(disk.fork()), clock), "image", "qcow2", Opening())
        node.write(1000, b"b" * 10_000)
        node.flush()
        assert node.read(0, 12_000) == bytes(1000) + b"b" * 10_000 + bytes(1000)
        node.close()
        struck += bool(clock.hits)
    assert struck > 5


@pytest.mark.parametrize("kind", [Kind.SHORT, Kind.TORN, Kind.EMFILE])
def test_a_kind_that_does_not_apply_to_the_operation_meets_nothing(kind: Kind) -> None:
    _, file, clock = scene(HostFault(kind, 1, Span.LASTING))
    file.flush()
    file.write(0, b"b")
    assert clock.hits == []


A, B = "/vm/a", "/vm/b"


@pytest.mark.parametrize(
    ("kind", "first", "later", "same"),
    [
        (Kind.EIO, ("write", A), ("write", A), True),
        (Kind.EIO, ("write", A), ("write", B), False),
        (Kind.EIO, ("write", A), ("read", A), False),
        (Kind.ENOSPC, ("write", A), ("create", B), True),
        (Kind.ENOSPC, ("write", A), ("read", A), False),
        (Kind.ENOSPC, ("create", A), ("unlink", A), False),
        (Kind.EDQUOT, ("write", A), ("flush", B), True),
        (Kind.EROFS, ("create", A), ("unlink", B), True),
        (Kind.EROFS, ("create", A), ("write", A), False),
        (Kind.EMFILE, ("open", A), ("create", B), True),
        (Kind.EMFILE, ("open", A), ("write", A), False),
        (Kind.EACCES, ("open", A), ("open", B), False),
        (Kind.ENOENT, ("open", A), ("open", A), True),
    ],
)
def test_lasting_trouble_is_the_host_s_or_one_file_s(
    kind: Kind, first: tuple[str, str], later: tuple[str, str], same: bool
) -> None:
    one, other = HostOperation(1, "hypervisor", *first), HostOperation(2, "hypervisor", *later)
    assert (scope_of(kind) in scopes(one, other)) is same


def test_a_lasting_fault_strikes_again_and_a_single_one_does_not() -> None:
    for lasting in (False, True):
        folder, file, clock = scene(HostFault(Kind.ENOSPC, 2, Span.LASTING if lasting else Span.ONCE))
        file.write(0, b"x")
        assert code_of(lambda file=file: file.write(0, b"x")) == errno.ENOSPC  # type: ignore[misc]
        if lasting:
            assert code_of(lambda folder=folder: folder.create("n", replace=False)) == errno.ENOSPC  # type: ignore[misc]
        else:
            folder.create("n", replace=False)
        file.read(0, 1)
        assert len(clock.hits) == 1 + lasting


# ------------------------------------------------------------------------------------------- the clock


def test_the_clock_numbers_every_operation_of_everybody_from_when_it_runs() -> None:
    clock = Clock(NoFault(), recording=True)
    disk = MemoryDisk()
    one, other = (FaultyFolder(MemoryFolder(disk), clock) for _ in range(2))
    put(one, "early", b"x")
    assert clock.operations == []
    clock.running, clock.actor = True, "hypervisor"
    file = one.create("file", replace=False)
    write_fully(file, 512, b"abc")
    clock.actor = "management"
    other.unlink("early")
    file.size(), one.exists("x"), one.names()
    assert clock.operations == [
        HostOperation(1, "hypervisor", "create", "/vm/file"),
        HostOperation(2, "hypervisor", "write", "/vm/file", 512, 3),
        HostOperation(3, "management", "unlink", "/vm/early"),
    ]


def test_a_kill_strikes_before_the_operation_and_the_dead_touch_nothing_any_more() -> None:
    folder, file, clock = scene(KilledAtOperation(1))
    clock.actor = "hypervisor"
    with pytest.raises(ProcessKilled):
        file.write(0, b"x")
    with pytest.raises(ProcessKilled):
        file.flush()
    clock.actor = "management"
    assert content(folder, "file") == b"a" * 1024


def test_management_s_own_operation_kills_nobody_but_the_next_of_the_hypervisor_dies() -> None:
    folder, file, clock = scene(KilledAtOperation(1))
    clock.actor = "management"
    put(folder, "notes", b"x")
    clock.actor = "guest"
    with pytest.raises(ProcessKilled):
        file.write(0, b"x")


def test_a_file_that_is_open_twice_with_a_writer_is_doubled() -> None:
    folder, _, clock = scene(NoFault())
    assert dict(clock.doubled) == {}
    folder.open("file", writable=False)
    assert list(clock.doubled) == ["/vm/file"]


def test_a_file_that_is_wiped_while_open_is_doubled_and_two_readers_are_not() -> None:
    clock = Clock(NoFault())
    folder: HostFolder = FaultyFolder(MemoryFolder(MemoryDisk()), clock)
    put(folder, "file")
    folder.open("file", writable=False)
    folder.open("file", writable=False)
    assert dict(clock.doubled) == {}
    folder.create("file", replace=True)
    assert list(clock.doubled) == ["/vm/file"]
