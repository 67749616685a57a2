"""Which images a machine starts with after a crash, as the careful manager's notes tell it."""

import errno

import pytest

from blockops.errors import HostError
from blockops.graph.formats import NewImage, Opening, open_node
from blockops.graph.graph import Graph
from blockops.host.memory import MemoryDisk
from blockops.management.careful import Live, done, intend, still_empty
from blockops.management.desk import Desk, Lost
from blockops.management.programs import Move, onto_overlays, onto_targets
from blockops.management.recovery import believe, start_on_what_is_safe
from blockops.management.wish import ImageRef, Wish
from blockops.steps import Steps, run
from tests.management.scene import SIZE, FailingFolder, disk_wish

WISH = Wish("group-snapshot", (disk_wish(0), disk_wish(1)))
OVERLAYS = onto_overlays(WISH)
OLD = {move.device: move.old for move in OVERLAYS}
NEW = {move.device: move.new for move in OVERLAYS}


def silence(command: str, arguments: object) -> Steps[Lost]:
    yield from ()
    return Lost()


@pytest.fixture
def desk() -> Desk:
    disk = MemoryDisk()
    for folder in ("/vm/management", "/vm/dst"):
        disk.make_folder(folder)
    desk = Desk(FailingFolder(disk), silence)
    for wish in WISH.disks:
        run(desk.create_image(NewImage(wish.old.path, "qcow2", SIZE)))
    run(desk.configure(OLD))
    return desk


def make(desk: Desk, move: Move, backing: str | None = None) -> None:
    run(desk.create_image(NewImage(move.new.path, "qcow2", SIZE, backing or move.backing, "qcow2")))


def write_to(desk: Desk, move: Move) -> None:
    """Let the guest write something to the new image."""
    node = open_node(Graph(), desk.host, move.new.path, "qcow2", Opening(lock=False))
    node.write(0, b"written")
    node.close()


def restarted(desk: Desk, wish: Wish = WISH) -> dict[str, ImageRef]:
    """Restart twice: a crash of the recovery itself must not change its mind."""
    run(start_on_what_is_safe(desk, wish))
    images = desk.configuration()
    run(start_on_what_is_safe(desk, wish))
    assert images == desk.configuration()
    return images


def test_the_naive_manager_starts_with_the_configuration_whatever_the_notes_say(desk: Desk) -> None:
    run(intend(desk, OVERLAYS))
    for move in OVERLAYS:
        make(desk, move)
    run(believe(desk, WISH))
    assert desk.configuration() == OLD


def test_with_every_overlay_complete_the_new_images_are_started(desk: Desk) -> None:
    run(intend(desk, OVERLAYS))
    for move in OVERLAYS:
        make(desk, move)
    assert restarted(desk) == NEW


def test_with_one_overlay_missing_no_disk_moves(desk: Desk) -> None:
    run(intend(desk, OVERLAYS))
    make(desk, OVERLAYS[0])
    assert restarted(desk) == OLD


def test_an_overlay_that_is_no_image_yet_does_not_count(desk: Desk) -> None:
    run(intend(desk, OVERLAYS))
    make(desk, OVERLAYS[0])
    desk.host.create(OVERLAYS[1].new.path, replace=False).close()
    assert restarted(desk) == OLD


def test_an_overlay_over_something_else_does_not_count(desk: Desk) -> None:
    run(intend(desk, OVERLAYS))
    make(desk, OVERLAYS[0])
    make(desk, OVERLAYS[1], backing="/vm/d0.qcow2")
    assert restarted(desk) == OLD


@pytest.mark.parametrize("begun", [1, 2])
def test_of_disks_that_were_to_move_one_by_one_none_has_while_nothing_is_in_an_overlay(
    desk: Desk, begun: int
) -> None:
    for move in OVERLAYS[:begun]:
        run(intend(desk, [move]))
    make(desk, OVERLAYS[0])
    assert restarted(desk) == OLD


@pytest.mark.parametrize("begun", [1, 2])
def test_once_something_is_in_an_overlay_the_missing_ones_are_made(desk: Desk, begun: int) -> None:
    for move in OVERLAYS[:begun]:
        run(intend(desk, [move]))
    make(desk, OVERLAYS[0])
    write_to(desk, OVERLAYS[0])
    if begun == 2:
        desk.host.create(OVERLAYS[1].new.path, replace=False).close()  # it was being made
    assert restarted(desk) == NEW
    assert run(desk.inspect(OVERLAYS[1].new.path, "qcow2")).backing == OVERLAYS[1].old.path


def test_what_is_to_be_given_up_goes_back_as_long_as_nothing_is_in_its_overlay(desk: Desk) -> None:
    given_up = Wish("give-up", WISH.disks)
    run(intend(desk, OVERLAYS[:1]))
    make(desk, OVERLAYS[0])
    assert restarted(desk, given_up) == OLD
    run(intend(desk, OVERLAYS[:1]))
    write_to(desk, OVERLAYS[0])
    assert restarted(desk, given_up) == {**OLD, "d0": NEW["d0"]}


@pytest.mark.parametrize("kind", ["done", "undo", "restarted", "recovered"])
def test_what_has_ended_is_not_judged_again(desk: Desk, kind: str) -> None:
    run(intend(desk, OVERLAYS))
    for move in OVERLAYS:
        make(desk, move)
    run(desk.note(kind))
    assert restarted(desk) == OLD


def test_what_is_recorded_already_stays_so(desk: Desk) -> None:
    targets = onto_targets(WISH)
    run(done(desk, OVERLAYS))
    run(intend(desk, targets))
    run(desk.configure({move.device: move.new for move in targets}))
    assert restarted(desk) == {move.device: move.new for move in targets}


def test_the_target_of_a_mirror_is_not_trusted_before_the_switch_is_recorded(desk: Desk) -> None:
    targets = onto_targets(WISH)
    for move in (*OVERLAYS, *targets):
        make(desk, move)
    run(done(desk, OVERLAYS))
    run(intend(desk, targets))
    assert restarted(desk) == NEW


def migrated_partly(desk: Desk) -> dict[str, ImageRef]:
    """Let the first of two disks be on its target, and the second be mirrored still."""
    targets = onto_targets(WISH)
    for wish, target, move in zip(WISH.disks, targets, OVERLAYS, strict=True):
        run(desk.copy(wish.old, ImageRef(target.backing, "qcow2")))
        make(desk, move)
        make(desk, target)
    run(done(desk, OVERLAYS))
    run(intend(desk, targets[:1]))
    run(done(desk, targets[:1]))
    run(intend(desk, targets[1:]))
    return {move.device: move.new for move in targets}


def test_a_migration_is_finished_where_the_waiting_disks_read_alike_on_both_sides(desk: Desk) -> None:
    targets = migrated_partly(desk)
    write_to(desk, onto_targets(WISH)[0])
    assert restarted(desk) == targets


def test_a_migration_is_taken_back_where_only_the_arrived_disks_read_alike_on_both_sides(desk: Desk) -> None:
    migrated_partly(desk)
    write_to(desk, OVERLAYS[1])
    assert restarted(desk) == NEW


def test_a_migration_stays_as_recorded_where_no_side_has_it_all(desk: Desk) -> None:
    targets = migrated_partly(desk)
    write_to(desk, onto_targets(WISH)[0])
    write_to(desk, OVERLAYS[1])
    assert restarted(desk) == {"d0": targets["d0"], "d1": NEW["d1"]}


def test_an_image_that_cannot_be_looked_at_is_no_reason_to_start_the_other(desk: Desk) -> None:
    run(intend(desk, OVERLAYS))
    for move in OVERLAYS:
        make(desk, move)
    assert isinstance(desk.host, FailingFolder)
    desk.host.fails = {("open", "/vm/s1.qcow2"): errno.EIO}
    with pytest.raises(HostError):
        run(start_on_what_is_safe(desk, WISH))
    assert desk.configuration() == OLD
    desk.host.fails = {}
    assert restarted(desk) == NEW


# --------------------------------------------------------------------------------- drives without medium


def test_a_drive_that_was_empty_is_as_before_until_its_overlay_is_written_to(desk: Desk) -> None:
    nothing_shown = Live({}, frozenset(), {})
    assert run(still_empty(desk, nothing_shown, OVERLAYS)) == []
    run(desk.note("empty", devices=["d0"]))
    assert run(still_empty(desk, nothing_shown, OVERLAYS)) == ["d0"]
    make(desk, OVERLAYS[0])
    assert run(still_empty(desk, nothing_shown, OVERLAYS)) == ["d0"]
    write_to(desk, OVERLAYS[0])
    assert run(still_empty(desk, nothing_shown, OVERLAYS)) == []


def test_a_drive_whose_overlay_cannot_be_looked_at_is_in_nobody_s_way(desk: Desk) -> None:
    run(desk.note("empty", devices=["d0"]))
    make(desk, OVERLAYS[0])
    assert isinstance(desk.host, FailingFolder)
    desk.host.fails = {("open", "/vm/s0.qcow2"): errno.EIO}
    assert run(still_empty(desk, Live({}, frozenset(), {}), OVERLAYS)) == []
