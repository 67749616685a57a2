"""`drive-mirror` and the blkmirror that it appends.

Source of every claim here: semantics.md 2 (blkmirror) and 3 (drive-mirror), unless it names another.
"""

import pytest

from blockops.commands.mirror import DriveMirror, drive_mirror
from blockops.commands.profile import Mode, Profile
from blockops.commands.snapshot import SnapshotSync, snapshot_sync
from blockops.errors import DeviceHasNoMedium, DeviceInUse, DeviceNotFound, HostError, InvalidBlockFormat
from blockops.steps import Steps, run
from tests.commands.worlds import SIZE, World, error_of, trace


def mirror(world: World, dest: str = "/vm/m0", device: str = "d0", **how: object) -> Steps[None]:
    return drive_mirror(world.machine, world.profile, DriveMirror(device, dest, **how))  # type: ignore[arg-type]


def test_an_absent_target_is_created_over_the_current_image(world: World) -> None:
    run(mirror(world))
    assert world.recorded("/vm/m0") == ("/vm/d0.qcow2", "qcow2")
    world.device().write(8192, b"both")
    world.device().flush()
    assert world.device().read(8192, 4) == b"both"


def test_as_its_own_command_after_a_snapshot_the_target_records_the_snapshot(world: World) -> None:
    """Source: semantics.md 3, "the two as separate commands give the target the new snapshot as backing"."""
    run(snapshot_sync(world.machine, world.profile, SnapshotSync("d0", "/vm/s0")))
    run(mirror(world))
    assert world.recorded("/vm/m0") == ("/vm/s0", "qcow2")


def test_an_existing_target_is_opened_without_its_backing(world: World) -> None:
    world.create("/vm/m0", backing_file="not there yet", backing_format="qcow2")
    run(mirror(world))
    assert world.recorded("/vm/m0") == ("not there yet", "qcow2")
    assert world.chain() == ["d0.qcow2"]


def test_mode_existing_does_not_create(world: World) -> None:
    error_of(mirror(world, mode=Mode.EXISTING))
    assert "m0" not in world.files()


def test_mode_absolute_paths_wipes_an_existing_target_as_posted_and_refuses_hardened(world: World) -> None:
    world.create("/vm/m0", format="raw", size=SIZE)
    steps = mirror(world, mode=Mode.ABSOLUTE_PATHS)
    if world.profile is Profile.AS_POSTED:
        run(steps)
        assert world.recorded("/vm/m0") == ("/vm/d0.qcow2", "qcow2")
    else:
        error_of(steps)
        assert world.recorded("/vm/m0") is None


def test_the_format_of_an_existing_target_is_probed(world: World) -> None:
    world.create("/vm/m0", format="raw")
    run(mirror(world))
    world.device().write(0, b"raw bytes")
    assert world.content("/vm/m0", 9) == b"raw bytes"


def test_a_raw_target_is_created_flat(world: World) -> None:
    run(mirror(world, format="raw"))
    world.device().write(512, b"raw bytes")
    assert world.recorded("/vm/m0") is None
    assert world.machine.graph.opened("/vm/m0") is not None


def test_as_posted_the_target_is_never_flushed(posted: World) -> None:
    """Source: semantics.md 2, "The target was opened without flushing"."""
    run(mirror(posted))
    posted.device().write(0, b"new")
    posted.device().flush()
    assert ("flush", "/vm/m0") not in posted.host.log


def test_hardened_the_target_and_its_entry_are_durable_before_the_pivot(hardened: World) -> None:
    assert trace(mirror(hardened))[-2:] == ["flush /vm/m0", "pivot d0"]
    log = hardened.host.log
    last_write = max(index for index, entry in enumerate(log) if entry == ("write", "/vm/m0"))
    assert ("flush", "/vm/m0") in log[last_write:]
    assert ("sync", "/vm") in log[last_write:]


def test_as_posted_the_target_shares_the_source_s_backing_in_memory(posted: World) -> None:
    run(snapshot_sync(posted.machine, Profile.AS_POSTED, SnapshotSync("d0", "/vm/s0")))
    run(mirror(posted))
    target, source = posted.machine.graph.opened("/vm/m0"), posted.machine.graph.opened("/vm/s0")
    assert target is not None
    assert source is not None
    assert target.backing is source.backing


def test_hardened_a_created_target_reads_the_same_live_and_reopened(hardened: World) -> None:
    """Our choice: it hangs over what its header records, so that copy-on-write fills in the right bytes."""
    hardened.device().write(0, b"A" * 4096)
    run(mirror(hardened))
    hardened.device().write(1024, b"B")
    run_flush(hardened, "/vm/m0")
    assert hardened.content("/vm/m0", 4096) == b"A" * 1024 + b"B" + b"A" * 3071


def run_flush(world: World, path: str) -> None:
    node = world.machine.graph.opened(path)
    assert node is not None
    node.flush()


def test_an_error_of_the_target_goes_to_the_guest_and_mirroring_goes_on(world: World) -> None:
    """Source: semantics.md 2, "wait for both, return the first error to the guest; … mirroring continues"."""
    run(mirror(world))
    world.host.fail("write", "/vm/m0", times=1)
    with pytest.raises(HostError):
        world.device().write(0, b"x" * 4096)
    assert world.device().read(0, 1) == b"x"
    world.device().write(4096, b"y" * 4096)
    target = world.machine.graph.opened("/vm/m0")
    assert target is not None
    assert target.read(4096, 1) == b"y"


def test_a_read_goes_to_the_source_only(world: World) -> None:
    run(mirror(world))
    world.host.fail("read", "/vm/m0")
    assert world.device().read(0, 5) == b"old-0"


def test_as_posted_the_length_comes_from_the_target(posted: World) -> None:
    """Source: semantics.md 2, "length from the target"."""
    posted.create("/vm/m0", size=SIZE // 2)
    run(mirror(posted))
    assert posted.device().medium.size == SIZE // 2


def test_hardened_a_target_of_another_size_is_refused(hardened: World) -> None:
    hardened.create("/vm/m0", size=SIZE // 2)
    error = error_of(mirror(hardened))
    assert str(error).endswith(f"/vm/m0: it has {SIZE // 2} bytes, the device {SIZE}")
    assert hardened.handles() == ["/vm/d0.qcow2", "/vm/d1.qcow2"]


def test_hardened_a_failure_removes_what_it_created_and_only_that(hardened: World) -> None:
    hardened.host.fail("lock", "/vm/m0")
    error_of(mirror(hardened))
    assert "m0" not in hardened.files()
    hardened.create("/vm/m0")
    error_of(mirror(hardened))
    assert "m0" in hardened.files()


def test_as_posted_a_failure_leaves_the_created_target(posted: World) -> None:
    """Source: semantics.md 1, "Left behind on failure: nothing is unlinked"."""
    posted.host.fail("open", "/vm/m0")
    error_of(mirror(posted))
    assert "m0" in posted.files()
    assert posted.chain() == ["d0.qcow2"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (DriveMirror("d9", "/vm/m"), DeviceNotFound),
        (DriveMirror("empty", "/vm/m"), DeviceHasNoMedium),
        (DriveMirror("busy", "/vm/m"), DeviceInUse),
        (DriveMirror("d0", "/vm/m", "vmdk"), InvalidBlockFormat),
    ],
    ids=["no-such-device", "no-medium", "busy", "no-such-format"],
)
def test_what_cannot_be_is_refused_before_a_file_is_made(
    world: World, wanted: DriveMirror, expected: type
) -> None:
    world.machine.attach("empty", None)
    world.create("/vm/busy.qcow2")
    world.machine.attach("busy", "/vm/busy.qcow2", "qcow2").user = "a job"
    before = world.files()
    assert type(error_of(drive_mirror(world.machine, world.profile, wanted))) is expected
    assert world.files() == before
