"""A chain does not grow beyond what a read can pass through; what shortens it still works."""

import pytest

from blockops.commands.mirror import DriveMirror, drive_mirror
from blockops.commands.reopen import DriveReopen, drive_reopen
from blockops.commands.snapshot import SnapshotSync, snapshot_sync
from blockops.errors import OpenFileFailed
from blockops.graph.graph import MAX_CHAIN
from blockops.steps import run
from tests.commands.worlds import World, error_of


@pytest.fixture
def full(world: World) -> World:
    """A machine whose d2 has as long a chain as may be."""
    below: dict[str, str] = {}
    for number in range(MAX_CHAIN):
        world.create(f"/vm/c{number}", **below)
        below = {"backing_file": f"/vm/c{number}", "backing_format": "qcow2"}
    world.machine.attach("d2", f"/vm/c{MAX_CHAIN - 1}").write(0, b"old-2")
    assert len(world.chain("d2")) == MAX_CHAIN
    return world


def test_one_image_more_is_refused_and_the_device_shows_what_it_showed(full: World) -> None:
    before = full.chain("d2")
    error = error_of(
        snapshot_sync(full.machine, full.profile, SnapshotSync("d2", "/vm/more")),
    )
    assert isinstance(error, OpenFileFailed)
    assert f"more than {MAX_CHAIN} images" in str(error)
    assert full.chain("d2") == before
    assert full.device("d2").read(0, 5) == b"old-2"


def test_a_mirror_above_it_is_refused_too_and_a_reopen_is_not(full: World) -> None:
    error = error_of(drive_mirror(full.machine, full.profile, DriveMirror("d2", "/vm/more")))
    assert isinstance(error, OpenFileFailed)
    assert "more" not in full.files()
    full.create("/vm/flat")
    run(drive_reopen(full.machine, full.profile, DriveReopen("d2", "/vm/flat")))
    assert full.chain("d2") == ["flat"]
