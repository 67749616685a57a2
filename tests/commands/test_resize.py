"""`block_resize`: grows a disk, or changes nothing.  All of it is our choice but the signature (QEMU's)."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from blockops.commands.mirror import DriveMirror, drive_mirror
from blockops.commands.profile import Profile
from blockops.commands.resize import BlockResize, block_resize, resize_action
from blockops.commands.snapshot import SnapshotSync, snapshot_sync
from blockops.errors import CommandError, DeviceInUse, DeviceNotFound, UndefinedError
from blockops.graph.formats import NewImage, create_image
from blockops.host.posix import PosixFolder
from blockops.machine import Machine
from blockops.steps import Steps, run
from tests.commands.worlds import SIZE, World, error_of, make_world, open_quietly, outcome

MORE = 4 * SIZE
HUGE = 256 << 20
"""So large that the L1 table has to move."""


def resize(world: World, size: int = MORE, device: str = "d0") -> Steps[None]:
    return block_resize(world.machine, world.profile, BlockResize(device, size))


def size_on_disk(world: World, filename: str) -> int:
    node = open_quietly(world.disk, filename)
    try:
        return node.size
    finally:
        node.abandon()


def test_the_disk_grows_and_what_is_new_reads_as_zeroes(world: World) -> None:
    run(resize(world))
    top = world.device().top
    assert top is not None
    assert top.size == MORE
    assert world.device().read(0, 5) == b"old-0"
    assert world.device().read(SIZE, MORE - SIZE) == bytes(MORE - SIZE)
    world.device().write(MORE - 4, b"last")


def test_success_is_durable(world: World) -> None:
    run(resize(world))
    assert size_on_disk(world, "/vm/d0.qcow2") == MORE


def test_of_a_chain_the_top_grows_and_its_backing_stays(world: World) -> None:
    run(snapshot_sync(world.machine, world.profile, SnapshotSync("d0", "/vm/s0.qcow2")))
    run(resize(world))
    assert (size_on_disk(world, "/vm/s0.qcow2"), size_on_disk(world, "/vm/d0.qcow2")) == (MORE, SIZE)
    assert world.device().read(0, 5) == b"old-0"


@pytest.mark.parametrize("size", [SIZE - 512, 0, -512, SIZE + 1])
def test_a_disk_only_grows_and_in_whole_sectors(world: World, size: int) -> None:
    assert isinstance(error_of(resize(world, size)), UndefinedError)
    assert size_on_disk(world, "/vm/d0.qcow2") == SIZE


def test_the_same_size_is_no_change(world: World) -> None:
    run(resize(world, SIZE))
    assert size_on_disk(world, "/vm/d0.qcow2") == SIZE


def test_a_device_that_is_absent_reserved_or_mirrored_is_refused(world: World) -> None:
    assert isinstance(error_of(resize(world, device="d9")), DeviceNotFound)
    world.device("d1").user = "a job"
    assert isinstance(error_of(resize(world, device="d1")), DeviceInUse)
    run(drive_mirror(world.machine, world.profile, DriveMirror("d0", "/vm/m0.qcow2")))
    assert isinstance(error_of(resize(world)), UndefinedError)


@pytest.mark.parametrize("profile", list(Profile))
def test_whatever_operation_of_the_host_fails_an_error_means_the_old_size(profile: Profile) -> None:
    log = grown(make_world(profile)).host.log
    points = [(*asked, log[:number].count(asked)) for number, asked in enumerate(log)]
    errors = [error_of_failing(make_world(profile), *point) for point in points]
    assert errors.count(None) == 1  # to free the old L1 table is the last thing, and a leak is no error
    assert len(errors) > 6


def grown(world: World) -> World:
    world.device().write(0, b"old-0")
    world.host.log.clear()
    run(resize(world, HUGE))
    return world


def error_of_failing(world: World, operation: str, path: str, skip: int) -> CommandError | None:
    world.device().write(0, b"old-0")
    world.host.fail(operation, path, skip=skip, times=1)
    error = outcome(resize(world, HUGE))
    top = world.device().top
    assert top is not None
    assert top.size == (HUGE if error is None else SIZE)
    world.device().flush()
    assert size_on_disk(world, "/vm/d0.qcow2") == top.size
    assert world.device().read(0, 5) == b"old-0"
    run(resize(world, HUGE))
    assert size_on_disk(world, "/vm/d0.qcow2") == HUGE
    return error


def test_a_reverted_resize_leaves_the_old_size_live_and_on_disk(world: World) -> None:
    action = resize_action(world.machine, BlockResize("d0", MORE))
    for stage in (action.prepare, action.commit, action.revert, action.revert):
        run(stage())
    assert size_on_disk(world, "/vm/d0.qcow2") == SIZE
    run(resize(world, 2 * SIZE))
    assert world.device().read(SIZE, SIZE) == bytes(SIZE)


def real_machine(folder: Path, format: str, profile: Profile) -> Machine:
    """A machine with two devices of this format in real files, /d0 and /d1, and something written to each."""
    host = PosixFolder(folder)
    machine = Machine(host)
    for name in ("d0", "d1"):
        create_image(host, NewImage(name, format, SIZE), durable=True)
        machine.attach(name, name, format).write(0, b"old")
    return machine


def virtual_size(qemu_img: str, path: Path) -> int:
    """Return what the real tool says, after its check has found nothing wrong."""
    info = json.loads(
        subprocess.run([qemu_img, "info", "--output=json", path], check=True, capture_output=True).stdout
    )
    if info["format"] == "qcow2":
        subprocess.run([qemu_img, "check", "-q", path], check=True)
    size = info["virtual-size"]
    assert isinstance(size, int)
    return size


@pytest.mark.real_tool("qemu-img")
@pytest.mark.parametrize("profile", list(Profile))
@pytest.mark.parametrize("format", ["qcow2", "raw"])
@pytest.mark.parametrize("size", [SIZE + 512, 64 << 20, 40 << 30])
def test_the_real_tool_sees_the_new_size(
    tmp_path: Path, real_tool: Callable[[str], str], format: str, profile: Profile, size: int
) -> None:
    machine = real_machine(tmp_path, format, profile)
    run(block_resize(machine, profile, BlockResize("d0", size)))
    machine.close()
    sizes = [
        virtual_size(real_tool("qemu-img"), path) if format == "qcow2" else path.stat().st_size
        for path in (tmp_path / "d0", tmp_path / "d1")
    ]
    assert sizes == [size, SIZE]


@pytest.mark.real_tool("qemu-img")
@pytest.mark.parametrize("format", ["qcow2", "raw"])
def test_the_real_tool_sees_the_old_size_after_a_revert(
    tmp_path: Path, real_tool: Callable[[str], str], format: str
) -> None:
    machine = real_machine(tmp_path, format, Profile.HARDENED)
    action = resize_action(machine, BlockResize("d0", 40 << 30))
    for stage in (action.prepare, action.commit, action.revert):
        run(stage())
    machine.device("d0").write(SIZE - 4, b"last")
    machine.close()
    path = tmp_path / "d0"
    found = virtual_size(real_tool("qemu-img"), path) if format == "qcow2" else path.stat().st_size
    assert found == SIZE
