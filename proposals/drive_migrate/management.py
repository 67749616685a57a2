"""What drive-reopen and drive-migrate leave to management: one call a device, and the guest runs between.

A roll-back by `drive-reopen` takes a device back to an image that lacks what the guest wrote meanwhile:
the careful manager has nothing better, and the lab shows what it costs.
"""

from collections.abc import Mapping

from blockops.errors import BlockError
from blockops.management.careful import (
    attempt,
    begin,
    clean_up,
    done,
    has_moved,
    intend,
    looked_up,
    reopen_old,
    snapshot,
    stay_on_source,
    undo,
    until_answered,
)
from blockops.management.contestant import Inexpressible, Manager, Program
from blockops.management.desk import Desk, GaveUp
from blockops.management.programs import (
    Move,
    configure_new,
    copy_bases,
    delete_sources,
    destination_files,
    make_mirror_targets,
    make_overlays,
    make_targets,
    mirror_files,
    onto_overlays,
    onto_targets,
    repeated,
)
from blockops.management.recovery import Means, Sign, believe, overlay_shown, recovery
from blockops.management.use_cases import LEAF_FORMAT
from blockops.management.wish import DiskWish, Goal, Wish
from blockops.steps import Steps

# ------------------------------------------------------------------------------------------------ naive


def naive_group_snapshot(desk: Desk, wish: Wish) -> Steps[None]:
    """Snapshot one disk after the other."""
    for disk in wish.disks:
        yield from desk.must("blockdev-snapshot-sync", device=disk.device, snapshot_file=disk.overlay)
    yield from configure_new(desk, onto_overlays(wish))


def naive_switch(desk: Desk, wish: Wish) -> Steps[None]:
    """Prepare the overlays, then reopen one disk after the other on its own."""
    yield from make_overlays(desk, wish)
    for disk in wish.disks:
        yield from desk.must("drive-reopen", device=disk.device, source=disk.overlay)
    yield from configure_new(desk, onto_overlays(wish))


def naive_migrate(desk: Desk, wish: Wish) -> Steps[None]:
    """The sequence of oVirt, disk after disk: mirror, copy, reopen, delete."""
    yield from make_overlays(desk, wish)
    yield from make_targets(desk, wish)
    for disk in wish.disks:
        yield from desk.must("drive-migrate", device=disk.device, dest=disk.target, new_source=disk.overlay)
    yield from configure_new(desk, onto_overlays(wish))
    yield from copy_bases(desk, wish)
    for disk in wish.disks:
        yield from desk.must("drive-reopen", device=disk.device, source=disk.target)
    yield from configure_new(desk, onto_targets(wish))
    yield from delete_sources(desk, wish)


def naive_change(desk: Desk, wish: Wish) -> Steps[None]:
    """Prepare the images that the commands open, then do what each disk needs, one after the other."""
    yield from make_overlays(desk, wish.only(Goal.PREPARED, Goal.MIRROR))
    yield from make_mirror_targets(desk, wish)
    for disk in wish.disks:
        match disk.goal:
            case Goal.PREPARED:
                yield from desk.must("drive-reopen", device=disk.device, source=disk.overlay)
            case Goal.MIRROR:
                yield from desk.must(
                    "drive-migrate", device=disk.device, dest=disk.target, new_source=disk.overlay
                )
            case _:
                yield from desk.must("blockdev-snapshot-sync", device=disk.device, snapshot_file=disk.overlay)
    yield from configure_new(desk, onto_overlays(wish))


def naive_give_up(desk: Desk, wish: Wish) -> Steps[None]:
    """Snapshot the first disk, then reopen it on its old image."""
    first = wish.disks[0]
    yield from desk.must("blockdev-snapshot-sync", device=first.device, snapshot_file=first.overlay)
    yield from desk.must("drive-reopen", device=first.device, source=first.old.path)
    yield from desk.delete(first.overlay)


# ---------------------------------------------------------------------------------------------- careful


def careful_group_snapshot(desk: Desk, wish: Wish) -> Steps[None]:
    """Snapshot one disk after the other; after an error reopen those done on their old images."""
    moves = onto_overlays(wish)
    yield from begin(desk, [move.new.path for move in moves])
    try:
        for move in moves:
            yield from intend(desk, [move])
            yield from _snapshot(desk, move)
    except BlockError as why:
        if not (yield from has_moved(desk, moves)):
            yield from undo(desk, moves, why)
    yield from done(desk, moves)


def careful_switch(desk: Desk, wish: Wish) -> Steps[None]:
    """Prepare the overlays, reopen disk after disk; after an error reopen all on their old images."""
    moves = onto_overlays(wish)
    yield from begin(desk, [move.new.path for move in moves])
    try:
        yield from make_overlays(desk, wish)
        yield from intend(desk, moves)
        for move in moves:
            yield from _reopen(desk, move)
    except BlockError as why:
        if not (yield from has_moved(desk, moves)):
            yield from undo(desk, moves, why)
    yield from done(desk, moves)


def careful_migrate(desk: Desk, wish: Wish) -> Steps[None]:
    """The sequence of oVirt, disk after disk; after an error every disk stays on the source."""
    onto_source, onto_destination = onto_overlays(wish), onto_targets(wish)
    yield from begin(desk, [move.new.path for move in onto_source] + destination_files(wish))
    try:
        yield from make_overlays(desk, wish)
        yield from make_targets(desk, wish)
        yield from intend(desk, onto_source)
        for disk in wish.disks:
            yield from _migrate(desk, disk)
        yield from done(desk, onto_source)
        yield from copy_bases(desk, wish)
        for move in onto_destination:
            yield from intend(desk, [move])
            yield from _reopen(desk, move)
            yield from done(desk, [move])
    except BlockError as why:
        if not (yield from has_moved(desk, onto_destination)):
            yield from stay_on_source(desk, wish, why)
        yield from done(desk, onto_destination)
    yield from delete_sources(desk, wish)


def careful_mirrors(desk: Desk, wish: Wish) -> Steps[None]:
    """Mirror disk after disk; after an error all stay on their overlays, which lose nothing, unmirrored."""
    moves = onto_overlays(wish)
    yield from begin(desk, [move.new.path for move in moves] + mirror_files(wish))
    try:
        yield from make_overlays(desk, wish)
        yield from make_mirror_targets(desk, wish)
        yield from intend(desk, moves)
        for disk in wish.disks:
            yield from _migrate(desk, disk)
    except BlockError as why:
        if not (yield from has_moved(desk, moves)):
            yield from stay_on_source(desk, wish, why)
    yield from done(desk, moves)


def careful_mixed(desk: Desk, wish: Wish) -> Steps[None]:
    """Do what each disk needs, one after the other; after an error reopen all on their old images."""
    moves = onto_overlays(wish)
    yield from begin(desk, [move.new.path for move in moves] + mirror_files(wish))
    try:
        yield from make_overlays(desk, wish.only(Goal.PREPARED, Goal.MIRROR))
        yield from make_mirror_targets(desk, wish)
        for move, disk in zip(moves, wish.disks, strict=True):
            yield from intend(desk, [move])
            yield from _change(desk, disk, move)
    except BlockError as why:
        if not (yield from has_moved(desk, moves)):
            yield from undo(desk, moves, why, mirror_files(wish))
    yield from done(desk, moves)


def _change(desk: Desk, disk: DiskWish, move: Move) -> Steps[None]:
    match disk.goal:
        case Goal.PREPARED:
            yield from _reopen(desk, move)
        case Goal.MIRROR:
            yield from _migrate(desk, disk)
        case _:
            yield from _snapshot(desk, move)


def careful_give_up(desk: Desk, wish: Wish) -> Steps[None]:
    """Snapshot the first disk, reopen it on its old image whatever the answer was, and look."""
    moves = onto_overlays(wish)[:1]
    yield from begin(desk, [move.new.path for move in moves])
    yield from intend(desk, moves)
    yield from attempt(snapshot(desk, moves[0]))
    yield from reopen_old(desk, moves)
    if (yield from clean_up(desk, moves)):
        raise GaveUp(f"{moves[0].device} cannot be brought back")


def _migrate(desk: Desk, disk: DiskWish) -> Steps[None]:
    (move,) = onto_overlays(Wish("", (disk,)))
    yield from until_answered(desk, move, lambda: _migrate_once(desk, disk))


def _migrate_once(desk: Desk, disk: DiskWish) -> Steps[None]:
    yield from desk.must(
        "drive-migrate",
        device=disk.device,
        dest=disk.target,
        dest_format=LEAF_FORMAT,
        new_source=disk.overlay,
        source_format=LEAF_FORMAT,
    )


def _snapshot(desk: Desk, move: Move) -> Steps[None]:
    yield from until_answered(desk, move, lambda: snapshot(desk, move))


def _reopen(desk: Desk, move: Move) -> Steps[None]:
    yield from until_answered(desk, move, lambda: _reopen_once(desk, move))


def _reopen_once(desk: Desk, move: Move) -> Steps[None]:
    yield from desk.must("drive-reopen", device=move.device, source=move.new.path, format=move.new.format)


def _finish(desk: Desk, disk: DiskWish) -> Steps[None]:
    """Let the disk come to its new state: one that shows its overlay is mirrored as well, if it is to be."""
    if disk.goal is Goal.MIRROR:
        yield from _migrate(desk, disk)
    else:
        yield from overlay_shown(desk, disk)


RECOVER: Mapping[Manager, Program] = {
    Manager.NAIVE: believe,
    Manager.CAREFUL: recovery(Means(_finish, mirrors=Sign.OVERLAYS)),
}

PROGRAMS: Mapping[Manager, Mapping[str, Program | Inexpressible]] = {
    Manager.NAIVE: {
        "group-snapshot": naive_group_snapshot,
        "migrate-one": naive_migrate,
        "migrate-many": naive_migrate,
        "mirror-many": naive_change,
        "switch-many": naive_switch,
        "mixed": naive_change,
        "give-up": naive_give_up,
        "retry": repeated(naive_group_snapshot),
        "membership": naive_group_snapshot,
    },
    Manager.CAREFUL: {
        "group-snapshot": careful_group_snapshot,
        "migrate-one": careful_migrate,
        "migrate-many": careful_migrate,
        "mirror-many": careful_mirrors,
        "switch-many": careful_switch,
        "mixed": careful_mixed,
        "give-up": careful_give_up,
        "retry": looked_up(careful_group_snapshot),
        "membership": careful_group_snapshot,
    },
}
