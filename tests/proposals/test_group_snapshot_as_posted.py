"""`blkdev-group-snapshot-sync` as merged on 29 February 2012.

Source of every claim here: semantics.md 1, unless it names another.
"""

import errno

import pytest

from blockops.commands.profile import Mode, Profile
from blockops.device import drain
from blockops.errors import (
    DeviceHasNoMedium,
    DeviceInUse,
    DeviceIOError,
    DeviceNotFound,
    InvalidBlockFormat,
    OpenFileFailed,
)
from blockops.qmp.command import Client
from blockops.steps import Phase, Steps
from proposals.group_snapshot import GroupSnapshotCommands, GroupSnapshotSync, SnapshotDev
from tests.commands.worlds import World, error_of, make_world, trace, until, walk, write

BOTH = (SnapshotDev("d0", "/vm/s0"), SnapshotDev("d1", "/vm/s1"))


def group(world: World, *entries: SnapshotDev) -> Steps[None]:
    proposal = GroupSnapshotCommands(world.machine, Profile.AS_POSTED)
    return proposal.group_snapshot(Client("test"), GroupSnapshotSync(entries))


def test_it_drains_the_machine_prepares_in_list_order_and_pivots_in_list_order(posted: World) -> None:
    """Steps 0, 1 and 2."""
    assert trace(group(posted, *reversed(BOTH))) == [
        "drain d0",
        "drain d1",
        "check d1",
        "flush d1",
        "create /vm/s1",
        "open /vm/s1",
        "check d0",
        "flush d0",
        "create /vm/s0",
        "open /vm/s0",
        "pivot d1",
        "pivot d0",
    ]
    assert posted.chain("d0") == ["s0", "d0.qcow2"]
    assert posted.chain("d1") == ["s1", "d1.qcow2"]


def test_it_drains_every_device_of_the_machine_listed_or_not() -> None:
    """Step 0: "Drain every device of the machine"."""
    world = make_world(Profile.AS_POSTED, devices=3)
    bystander = write(b"bystander")
    world.device("d2").submit(bystander)
    steps = group(world, *BOTH)
    until(steps, Phase.CHECK)
    assert bystander.state.value == "done"
    assert world.device("d2").holds


def test_an_empty_list_succeeds(world: World) -> None:
    """Source: semantics.md 1, as `transaction` does (observed on QEMU 7.2)."""
    proposal = GroupSnapshotCommands(world.machine, world.profile)
    trace(proposal.group_snapshot(Client("test"), GroupSnapshotSync(())))
    assert not world.device().holds


def test_no_request_starts_between_drain_and_pivot(posted: World) -> None:
    """Guest I/O: no new request between drain and pivot."""
    in_flight, late = write(b"in flight"), write(b"late", 4096)
    posted.device().submit(in_flight)
    steps = group(posted, *BOTH)
    until(steps, Phase.DRAIN, "d1")
    posted.device().submit(late)
    for _ in walk(steps):
        assert late.state.value in ("queued", "in flight")
    posted.device().complete_next()
    assert posted.content("/vm/d0.qcow2", 9) == b"in flight"
    assert posted.device().read(4096, 4) == b"late"
    assert posted.content("/vm/d0.qcow2", 4100)[4096:] == bytes(4)


def test_the_original_is_never_closed_nor_opened_again(posted: World) -> None:
    """Step 2; step 1 opens the overlay without its backing."""
    trace(group(posted, *BOTH))
    assert ("close", "/vm/d0.qcow2") not in posted.host.log
    assert ("open", "/vm/d0.qcow2") not in posted.host.log


def test_a_failure_leaves_every_overlay_made_so_far_and_attempts_no_later_one() -> None:
    """Step 3 and "Left behind on failure: nothing is unlinked" (QEMU 7.2 still does)."""
    world = make_world(Profile.AS_POSTED, devices=3)
    world.host.fail("write", "/vm/s1", code=errno.ENOSPC)
    error = error_of(group(world, *BOTH, SnapshotDev("d2", "/vm/s2")))
    assert isinstance(error, OpenFileFailed)
    assert error.filename == "/vm/s1"
    assert world.files() == ["d0.qcow2", "d1.qcow2", "d2.qcow2", "s0", "s1"]
    assert [world.chain(name) for name in ("d0", "d1", "d2")] == [["d0.qcow2"], ["d1.qcow2"], ["d2.qcow2"]]
    assert world.handles() == ["/vm/d0.qcow2", "/vm/d1.qcow2", "/vm/d2.qcow2"]
    assert not any(device.holds for device in world.machine.devices.values())


def test_a_file_at_an_earlier_entry_s_path_is_wiped_although_the_group_fails(posted: World) -> None:
    """Left behind on failure: "a file that already existed at an earlier entry's path has been wiped"."""
    posted.create("/vm/s0")
    posted.machine.attach("d9", "/vm/s0", "qcow2").write(0, b"precious")
    posted.machine.flush_all()
    error_of(group(posted, SnapshotDev("d0", "/vm/s0"), SnapshotDev("d1", "/nowhere/s1")))
    assert posted.content("/vm/s0") == b"old-0\0\0\0"


def test_only_the_first_error_is_reported(posted: World) -> None:
    """Step 3: "return the first error only"."""
    error = error_of(group(posted, SnapshotDev("d1", "/nowhere/s1"), SnapshotDev("d9", "/nowhere/s9")))
    assert isinstance(error, OpenFileFailed)
    assert error.filename == "/nowhere/s1"


def test_a_relative_name_is_recorded_as_opened_works_live_and_breaks_at_the_next_open(
    posted: World,
) -> None:
    """Creation: "the backing file is the device's file name exactly as it was opened"."""
    posted.create("/vm/relative.qcow2")
    device = posted.machine.attach("d2", "relative.qcow2", "qcow2")
    device.write(0, b"relative")
    trace(group(posted, SnapshotDev("d2", "/vm/other/s2")))
    assert device.read(0, 8) == b"relative"
    assert posted.recorded("/vm/other/s2") == ("relative.qcow2", "qcow2")
    with pytest.raises(Exception, match=r"/vm/other/relative\.qcow2: open: No such file"):
        posted.content("/vm/other/s2")


def test_the_same_device_twice_stacks_in_memory_and_not_on_disk(posted: World) -> None:
    """Unchecked: "the same device twice (in memory new2→new1→old, on disk new2→old)"."""
    trace(group(posted, SnapshotDev("d0", "/vm/new1"), SnapshotDev("d0", "/vm/new2")))
    assert posted.chain() == ["new2", "new1", "d0.qcow2"]
    assert posted.recorded("/vm/new2") == ("/vm/d0.qcow2", "qcow2")


def test_the_same_overlay_twice_is_wiped_and_shown_by_both_devices(posted: World) -> None:
    """Unchecked: "the same overlay path twice"."""
    trace(group(posted, SnapshotDev("d0", "/vm/s"), SnapshotDev("d1", "/vm/s")))
    assert posted.chain("d0")[0] == posted.chain("d1")[0] == "s"
    assert posted.recorded("/vm/s") == ("/vm/d1.qcow2", "qcow2")


def test_the_path_of_another_live_disk_is_wiped_silently(posted: World) -> None:
    """Unchecked: "or the path of another live disk (truncated silently)"."""
    trace(group(posted, SnapshotDev("d0", "/vm/d1.qcow2")))
    assert posted.recorded("/vm/d1.qcow2") == ("/vm/d0.qcow2", "qcow2")


def test_the_backing_format_is_the_base_s_driver_and_the_size_the_base_s(posted: World) -> None:
    """Creation: "The backing format is the base's driver"; "Size: taken from the base"."""
    posted.create("/vm/d2.raw", format="raw", size=3 * 4096)
    posted.machine.attach("d2", "/vm/d2.raw", "raw")
    trace(group(posted, SnapshotDev("d2", "/vm/s2")))
    assert posted.recorded("/vm/s2") == ("/vm/d2.raw", "raw")
    assert posted.device("d2").medium.size == 3 * 4096


def test_the_format_of_an_existing_overlay_is_not_probed(posted: World) -> None:
    """`format` "defaults to qcow2, never probed"."""
    posted.create("/vm/s0", format="raw")
    error = error_of(group(posted, SnapshotDev("d0", "/vm/s0", mode=Mode.EXISTING)))
    assert isinstance(error, OpenFileFailed)


def test_a_read_only_device_is_not_flushed(posted: World) -> None:
    """Step 1: "flush if writable"."""
    posted.create("/vm/ro")
    posted.machine.attach("d2", "/vm/ro", "qcow2", read_only=True)
    trace(group(posted, SnapshotDev("d2", "/vm/s2")))
    assert ("flush", "/vm/ro") not in posted.host.log
    assert not posted.device("d2").medium.writable


def test_a_failed_flush_comes_before_an_unknown_format(posted: World) -> None:
    """Step 1, its order: flush, else IOError; format known, else InvalidBlockFormat."""
    posted.device().write(0, b"unflushed")
    posted.host.fail("flush", "/vm/d0.qcow2", times=1)
    assert isinstance(error_of(group(posted, SnapshotDev("d0", "/vm/s0", "vmdk"))), DeviceIOError)
    assert isinstance(error_of(group(posted, SnapshotDev("d0", "/vm/s0", "vmdk"))), InvalidBlockFormat)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (SnapshotDev("d9", "/vm/s"), DeviceNotFound),
        (SnapshotDev("busy", "/vm/s"), DeviceInUse),
        (SnapshotDev("empty", "/vm/s"), DeviceHasNoMedium),
        (SnapshotDev("d1", "/vm/s", "vmdk"), InvalidBlockFormat),
        (SnapshotDev("d1", "/nowhere/s"), OpenFileFailed),
    ],
    ids=["no-such-device", "busy", "no-medium", "no-such-format", "no-such-folder"],
)
def test_an_entry_that_cannot_be_fails_the_group(world: World, entry: SnapshotDev, expected: type) -> None:
    """Step 1."""
    world.machine.attach("empty", None)
    world.create("/vm/busy.qcow2")
    world.machine.attach("busy", "/vm/busy.qcow2", "qcow2").user = "a job"
    proposal = GroupSnapshotCommands(world.machine, world.profile)
    wanted = GroupSnapshotSync((BOTH[0], entry))
    assert type(error_of(proposal.group_snapshot(Client("test"), wanted))) is expected
    assert world.chain() == ["d0.qcow2"]


def test_a_device_held_by_somebody_else_s_drain_stays_held(posted: World) -> None:
    list(drain([posted.device()]))
    trace(group(posted, *BOTH))
    assert len(posted.device().holds) == 1
