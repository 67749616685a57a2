"""`drive-reopen` hardened: the new image is open before the old one is let go of.

Source of every claim here: semantics.md, "Two profiles of every proposal"; what is not said there is
our choice.
"""

import pytest

from blockops.commands.mirror import DriveMirror, drive_mirror
from blockops.commands.profile import Profile
from blockops.commands.reopen import DriveReopen, drive_reopen
from blockops.commands.snapshot import SnapshotSync, snapshot_sync
from blockops.errors import DeviceIOError, OpenFileFailed
from blockops.host.api import LockMode
from blockops.host.memory import MemoryFolder
from blockops.steps import Steps, run
from tests.commands.worlds import SIZE, World, error_of, trace


def reopen(world: World, source: str, device: str = "d0", **how: object) -> Steps[None]:
    wanted = DriveReopen(device, source, **how)  # type: ignore[arg-type]
    return drive_reopen(world.machine, Profile.HARDENED, wanted)


def snapshot(world: World, device: str, filename: str) -> None:
    run(snapshot_sync(world.machine, Profile.HARDENED, SnapshotSync(device, filename)))


@pytest.fixture
def prepared(hardened: World) -> World:
    """A machine beside which management has made an overlay of d0."""
    hardened.create("/vm/new", backing_file="d0.qcow2", backing_format="qcow2")
    return hardened


def test_it_opens_then_drains_flushes_both_and_pivots(prepared: World) -> None:
    assert trace(reopen(prepared, "/vm/new")) == [
        "check d0",
        "open /vm/new",
        "drain d0",
        "flush d0",
        "flush /vm/new",
        "pivot d0",
    ]
    assert prepared.chain() == ["new", "d0.qcow2"]


def test_the_old_image_is_closed_after_the_new_one_is_shown(hardened: World) -> None:
    hardened.create("/vm/flat")
    trace(reopen(hardened, "/vm/flat"))
    log = hardened.host.log
    assert log.index(("open", "/vm/flat")) < log.index(("close", "/vm/d0.qcow2"))
    assert hardened.handles() == ["/vm/d1.qcow2", "/vm/flat"]


@pytest.mark.parametrize(
    ("operation", "path"),
    [
        ("open", "/vm/new"),
        ("read", "/vm/new"),
        ("lock", "/vm/new"),
        ("sync", "/vm"),
        ("flush", "/vm/d0.qcow2"),
    ],
)
def test_a_failure_leaves_the_device_as_it_was(prepared: World, operation: str, path: str) -> None:
    prepared.device().write(0, b"unflushed")
    handles = prepared.handles()
    prepared.host.fail(operation, path)
    error = error_of(reopen(prepared, "/vm/new"))
    assert isinstance(error, OpenFileFailed | DeviceIOError)
    assert "'d0'" in str(error)
    assert prepared.chain() == ["d0.qcow2"]
    assert prepared.handles() == handles
    assert not prepared.device().holds


def test_a_missing_backing_is_noticed_before_anything_changes(hardened: World) -> None:
    hardened.create("/vm/new", backing_file="absent", backing_format="qcow2")
    error = error_of(reopen(hardened, "/vm/new"))
    assert (
        str(error) == "Could not open '/vm/new' for device 'd0': /vm/absent: open: No such file or directory"
    )
    assert hardened.chain() == ["d0.qcow2"]


def test_back_onto_its_own_base_it_uses_the_handle_that_it_has(hardened: World) -> None:
    snapshot(hardened, "d0", "/vm/s0")
    hardened.host.log.clear()
    trace(reopen(hardened, "/vm/d0.qcow2", format="qcow2"))
    assert ("open", "/vm/d0.qcow2") not in hardened.host.log
    assert hardened.chain() == ["d0.qcow2"]
    hardened.device().write(0, b"again")
    assert hardened.handles() == ["/vm/d0.qcow2", "/vm/d1.qcow2"]


def test_onto_its_own_image_it_changes_nothing(hardened: World) -> None:
    trace(reopen(hardened, "/vm/d0.qcow2"))
    assert hardened.chain() == ["d0.qcow2"]


def test_onto_a_base_that_it_reads_from_it_opens_a_writable_handle(hardened: World) -> None:
    hardened.create("/vm/base")
    hardened.create("/vm/top", backing_file="base", backing_format="qcow2")
    device = hardened.machine.attach("d2", "/vm/top", "qcow2")
    trace(reopen(hardened, "/vm/base", "d2"))
    device.write(0, b"mine")
    assert hardened.handles() == ["/vm/base", "/vm/d0.qcow2", "/vm/d1.qcow2"]


def test_onto_the_mirror_s_target_it_hangs_it_over_the_backing_that_it_records(hardened: World) -> None:
    hardened.create("/vm/dst/s0", backing_file="base", backing_format="qcow2")
    run(drive_mirror(hardened.machine, Profile.HARDENED, DriveMirror("d0", "/vm/dst/s0")))
    hardened.device().write(0, b"new")
    hardened.create("/vm/dst/base")
    trace(reopen(hardened, "/vm/dst/s0"))
    assert hardened.chain() == ["dst/s0", "dst/base"]
    assert hardened.handles() == ["/vm/d1.qcow2", "/vm/dst/base", "/vm/dst/s0"]


def test_the_target_is_durable_before_it_is_shown(hardened: World) -> None:
    hardened.create("/vm/m0")
    run(drive_mirror(hardened.machine, Profile.HARDENED, DriveMirror("d0", "/vm/m0")))
    hardened.device().write(0, b"new")
    hardened.host.fail("flush", "/vm/m0", times=1)
    error = error_of(reopen(hardened, "/vm/m0"))
    assert isinstance(error, OpenFileFailed)
    assert error.filename == "/vm/m0"
    assert hardened.chain() == ["d0.qcow2"]


def test_a_target_whose_backing_is_missing_stays_a_target(hardened: World) -> None:
    hardened.create("/vm/dst/s0", backing_file="base", backing_format="qcow2")
    run(drive_mirror(hardened.machine, Profile.HARDENED, DriveMirror("d0", "/vm/dst/s0")))
    error_of(reopen(hardened, "/vm/dst/s0"))
    hardened.device().write(0, b"both")
    hardened.device().flush()
    assert hardened.chain() == ["d0.qcow2"]


def test_a_mirror_can_be_dropped_from_a_disk_that_cannot_be_flushed(hardened: World) -> None:
    run(drive_mirror(hardened.machine, Profile.HARDENED, DriveMirror("d0", "/vm/m0")))
    hardened.device("d0").write(0, b"unflushed")
    hardened.host.fail("flush", "/vm/d0.qcow2")
    run(reopen(hardened, "/vm/d0.qcow2"))
    assert hardened.chain() == ["d0.qcow2"]
    assert hardened.device("d0").read(0, 9) == b"unflushed"


def test_back_onto_the_source_it_ends_the_mirror(hardened: World) -> None:
    run(drive_mirror(hardened.machine, Profile.HARDENED, DriveMirror("d0", "/vm/m0")))
    trace(reopen(hardened, "/vm/d0.qcow2"))
    assert hardened.handles() == ["/vm/d0.qcow2", "/vm/d1.qcow2"]


def test_another_device_s_disk_is_refused(hardened: World) -> None:
    error = error_of(reopen(hardened, "/vm/d1.qcow2"))
    assert str(error).endswith("/vm/d1.qcow2: lock: Resource temporarily unavailable")
    assert hardened.chain() == ["d0.qcow2"]


def test_an_image_over_another_device_s_disk_is_refused(hardened: World) -> None:
    hardened.create("/vm/new", backing_file="d1.qcow2", backing_format="qcow2")
    error = error_of(reopen(hardened, "/vm/new"))
    assert str(error).endswith("/vm/new: /vm/d1.qcow2 below it is another device's disk")


def test_a_target_over_another_device_s_disk_is_refused(hardened: World) -> None:
    hardened.create("/vm/m0", backing_file="d1.qcow2", backing_format="qcow2")
    run(drive_mirror(hardened.machine, Profile.HARDENED, DriveMirror("d0", "/vm/m0")))
    error = error_of(reopen(hardened, "/vm/m0"))
    assert str(error).endswith("/vm/m0: /vm/d1.qcow2 below it is another device's disk")
    assert hardened.chain() == ["d0.qcow2"]


def test_a_base_that_another_device_reads_from_is_refused(hardened: World) -> None:
    hardened.create("/vm/golden")
    for name in ("d2", "d3"):
        hardened.create(f"/vm/{name}", backing_file="golden", backing_format="qcow2")
        hardened.machine.attach(name, f"/vm/{name}", "qcow2")
    error_of(reopen(hardened, "/vm/golden", "d2"))
    assert hardened.chain("d2") == ["d2", "golden"]
    assert hardened.chain("d3") == ["d3", "golden"]


def test_a_file_that_another_process_has_locked_is_refused(prepared: World) -> None:
    other = MemoryFolder(prepared.disk).open("/vm/new", writable=True)
    other.lock(LockMode.EXCLUSIVE)
    error_of(reopen(prepared, "/vm/new"))
    assert prepared.chain() == ["d0.qcow2"]


def test_an_image_of_another_size_is_refused(hardened: World) -> None:
    hardened.create("/vm/new", size=SIZE // 2)
    error = error_of(reopen(hardened, "/vm/new"))
    assert str(error).endswith(f"/vm/new: it has {SIZE // 2} bytes, the device {SIZE}")


def test_a_chain_that_leads_back_to_itself_is_refused(hardened: World) -> None:
    """The target's header names the source's overlay, and that one's header names the target."""
    snapshot(hardened, "d0", "/vm/s0")
    hardened.create("/vm/loop", backing_file="s0", backing_format="qcow2")
    run(drive_mirror(hardened.machine, Profile.HARDENED, DriveMirror("d0", "/vm/loop")))
    source = hardened.device().medium.source
    target = hardened.machine.graph.opened("/vm/loop")
    assert target is not None
    target.backing = None
    source.backing = target
    error = error_of(reopen(hardened, "/vm/loop"))
    assert "a loop" in str(error)


def test_an_explicit_format_that_is_not_the_open_one_is_refused(hardened: World) -> None:
    snapshot(hardened, "d0", "/vm/s0")
    error_of(reopen(hardened, "/vm/d0.qcow2", format="raw"))
    assert hardened.chain() == ["s0", "d0.qcow2"]


def test_a_read_only_device_is_reopened_read_only(hardened: World) -> None:
    hardened.create("/vm/ro")
    hardened.create("/vm/ro2")
    device = hardened.machine.attach("d2", "/vm/ro", "qcow2", read_only=True)
    trace(reopen(hardened, "/vm/ro2", "d2"))
    assert not device.medium.writable
    assert "/vm/ro" not in hardened.handles()
