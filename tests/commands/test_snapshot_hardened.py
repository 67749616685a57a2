"""`blockdev-snapshot-sync` hardened: a group of one, and no weakness that the command does not force.

Source of every claim here: semantics.md, "Two profiles of every proposal".
"""

import errno

import pytest

from blockops.commands.profile import Mode, Profile
from blockops.commands.snapshot import SnapshotSync, snapshot_sync
from blockops.errors import DeviceIOError, HostError, OpenFileFailed
from blockops.steps import Phase, Steps
from tests.commands.worlds import SIZE, World, error_of, outcome, trace, until


def snapshot(world: World, filename: str = "/vm/s0", device: str = "d0", **how: object) -> Steps[None]:
    wanted = SnapshotSync(device, filename, **how)  # type: ignore[arg-type]
    return snapshot_sync(world.machine, Profile.HARDENED, wanted)


def test_it_prepares_while_the_guest_runs_and_drains_only_its_device(hardened: World) -> None:
    assert trace(snapshot(hardened)) == [
        "check d0",
        "create /vm/s0",
        "open /vm/s0",
        "drain d0",
        "flush d0",
        "flush /vm/s0",
        "pivot d0",
    ]
    assert hardened.chain() == ["s0", "d0.qcow2"]


def test_file_and_directory_entry_are_durable_before_the_pivot(hardened: World) -> None:
    steps = snapshot(hardened)
    until(steps, Phase.PIVOT)
    log = hardened.host.log
    last_write = max(index for index, entry in enumerate(log) if entry == ("write", "/vm/s0"))
    assert ("flush", "/vm/s0") in log[last_write:]
    assert ("sync", "/vm") in log[last_write:]


def test_the_old_image_is_never_closed(hardened: World) -> None:
    trace(snapshot(hardened))
    assert ("close", "/vm/d0.qcow2") not in hardened.host.log


def test_it_refuses_to_overwrite(hardened: World) -> None:
    hardened.create("/vm/s0", format="raw", size=512)
    error = error_of(snapshot(hardened))
    assert isinstance(error, OpenFileFailed)
    assert error.root.code == errno.EEXIST  # type: ignore[attr-defined]
    assert hardened.recorded("/vm/s0") is None
    assert "s0" in hardened.files()


def test_it_refuses_the_file_of_an_open_image(hardened: World) -> None:
    error = error_of(snapshot(hardened, "/vm/d1.qcow2", mode=Mode.EXISTING))
    assert str(error) == (
        "Could not open '/vm/d1.qcow2' for device 'd0': /vm/d1.qcow2: it is in use by this machine already"
    )
    assert hardened.chain("d1") == ["d1.qcow2"]


def test_it_records_an_absolute_backing_name_and_the_driver_of_the_base(hardened: World) -> None:
    hardened.create("/vm/relative.raw", format="raw")
    hardened.machine.attach("d2", "relative.raw", "raw")
    trace(snapshot(hardened, "other/s2", "d2"))
    assert hardened.recorded("/vm/other/s2") == ("/vm/relative.raw", "raw")


@pytest.mark.parametrize(
    ("operation", "path"),
    [
        ("create", "/vm/s0"),
        ("write", "/vm/s0"),
        ("truncate", "/vm/s0"),
        ("flush", "/vm/s0"),
        ("open", "/vm/s0"),
        ("read", "/vm/s0"),
        ("lock", "/vm/s0"),
        ("sync", "/vm"),
    ],
)
@pytest.mark.parametrize("skip", [0, 1], ids=["first", "second"])
def test_a_failure_leaves_no_file_and_no_handle(
    hardened: World, operation: str, path: str, skip: int
) -> None:
    before, handles = hardened.files(), hardened.handles()
    hardened.host.fail(operation, path, skip=skip, times=1)
    error = outcome(snapshot(hardened))
    if error is None:
        assert skip, "the first such operation must fail the command"
        assert hardened.chain() == ["s0", "d0.qcow2"]
    else:
        assert "'/vm/s0' for device 'd0'" in str(error)
        assert hardened.files() == before
        assert hardened.handles() == handles
        assert hardened.chain() == ["d0.qcow2"]


def test_a_creation_that_fails_after_its_effect_leaves_no_file(hardened: World) -> None:
    before = hardened.files()
    hardened.host.fail("create", "/vm/s0", done=True)
    error_of(snapshot(hardened))
    assert hardened.files() == before


def test_a_file_that_somebody_else_makes_meanwhile_is_not_removed(hardened: World) -> None:
    hardened.host.fail("create", "/vm/s0", code=errno.EEXIST, done=True)
    error_of(snapshot(hardened))
    assert "s0" in hardened.files()


def test_a_file_that_cannot_be_removed_is_named(hardened: World) -> None:
    hardened.host.fail("open", "/vm/s0", code=errno.EMFILE)
    hardened.host.fail("unlink", "/vm/s0")
    error = error_of(snapshot(hardened))
    assert [left.filename for left in error.leftovers] == ["/vm/s0"]
    assert str(error).endswith(
        "/vm/s0: open: Too many open files; "
        "could not remove '/vm/s0' of device 'd0': /vm/s0: unlink: Input/output error"
    )


def test_a_failed_flush_of_the_device_fails_it_before_the_pivot(hardened: World) -> None:
    before = hardened.files()
    hardened.device().write(0, b"unflushed")
    hardened.host.fail("flush", "/vm/d0.qcow2", times=1)
    error = error_of(snapshot(hardened))
    assert isinstance(error, DeviceIOError)
    assert isinstance(error.root, HostError)
    assert error.device == "d0"
    assert hardened.files() == before
    assert hardened.chain() == ["d0.qcow2"]
    assert not hardened.device().holds


def test_an_existing_overlay_of_another_size_is_refused(hardened: World) -> None:
    hardened.create("/vm/s0", size=SIZE * 2, backing_file="/vm/d0.qcow2", backing_format="qcow2")
    error = error_of(snapshot(hardened, mode=Mode.EXISTING))
    assert str(error).endswith(f"/vm/s0: it has {SIZE * 2} bytes, the device {SIZE}")
    assert "s0" in hardened.files()


def test_an_existing_raw_overlay_is_refused_whatever_the_profile(world: World) -> None:
    world.create("/vm/s0", format="raw")
    wanted = SnapshotSync("d0", "/vm/s0", "raw", Mode.EXISTING)
    error_of(snapshot_sync(world.machine, Profile.HARDENED, wanted))
    assert world.chain() == ["d0.qcow2"]
