"""What freeze and unfreeze leave to management: all error handling, and never to leave a device frozen.

The naive manager stops at the first error, and what it froze stays frozen.  The careful one thaws whatever
happened.  It rolls back and it records where the disks are while the guest still waits: so nothing that
the guest wrote is lost, and after a crash either the old images or the recorded ones hold everything.
"""

from collections.abc import Mapping, Sequence

from blockops.errors import BlockError
from blockops.management.careful import (
    attempt,
    begin,
    clean_up,
    done,
    intend,
    look,
    looked_up,
    reopen_old,
    stay_on_source,
    try_out,
    undo,
)
from blockops.management.contestant import Inexpressible, Manager, Program
from blockops.management.desk import Desk, GaveUp, NoAnswer
from blockops.management.programs import (
    Move,
    configure_new,
    copy_bases,
    delete_if_there,
    delete_sources,
    destination_files,
    make_mirror_targets,
    make_overlays,
    make_targets,
    mirror_files,
    onto_overlays,
    onto_targets,
    overlay,
    repeated,
)
from blockops.management.recovery import Means, believe, overlay_shown, recovery
from blockops.management.use_cases import LEAF_FORMAT
from blockops.management.wish import DiskWish, Goal, ImageRef, Wish
from blockops.steps import Steps

# ------------------------------------------------------------------------------------------------ naive


def naive_group_snapshot(desk: Desk, wish: Wish) -> Steps[None]:
    """Freeze all disks, snapshot each, unfreeze."""
    yield from _freeze(desk, wish)
    for disk in wish.disks:
        yield from desk.must("blockdev-snapshot-sync", device=disk.device, snapshot_file=disk.overlay)
    yield from _unfreeze(desk, wish)
    yield from configure_new(desk, onto_overlays(wish))


def naive_switch(desk: Desk, wish: Wish) -> Steps[None]:
    """Prepare the overlays, freeze all disks, reopen each, unfreeze."""
    yield from make_overlays(desk, wish)
    yield from _freeze(desk, wish)
    for disk in wish.disks:
        yield from desk.must("drive-reopen", device=disk.device, source=disk.overlay)
    yield from _unfreeze(desk, wish)
    yield from configure_new(desk, onto_overlays(wish))


def naive_migrate(desk: Desk, wish: Wish) -> Steps[None]:
    """The sequence of oVirt, frozen twice: for snapshot and mirror, and for the switch."""
    yield from make_targets(desk, wish)
    yield from _freeze(desk, wish)
    for disk in wish.disks:
        yield from desk.must("blockdev-snapshot-sync", device=disk.device, snapshot_file=disk.overlay)
        yield from desk.must("drive-mirror", device=disk.device, dest=disk.target)
    yield from _unfreeze(desk, wish)
    yield from configure_new(desk, onto_overlays(wish))
    yield from copy_bases(desk, wish)
    yield from _freeze(desk, wish)
    for disk in wish.disks:
        yield from desk.must("drive-reopen", device=disk.device, source=disk.target)
    yield from _unfreeze(desk, wish)
    yield from configure_new(desk, onto_targets(wish))
    yield from delete_sources(desk, wish)


def naive_change(desk: Desk, wish: Wish) -> Steps[None]:
    """Prepare what is to be, freeze all disks, do what each needs, unfreeze.

    A mirror goes with a snapshot, after it: so what the target lies over changes no more.
    """
    yield from make_overlays(desk, wish.only(Goal.PREPARED))
    yield from make_mirror_targets(desk, wish)
    yield from _freeze(desk, wish)
    for disk in wish.disks:
        if disk.goal is Goal.PREPARED:
            yield from desk.must("drive-reopen", device=disk.device, source=disk.overlay)
        else:
            yield from desk.must("blockdev-snapshot-sync", device=disk.device, snapshot_file=disk.overlay)
        if disk.goal is Goal.MIRROR:
            yield from desk.must("drive-mirror", device=disk.device, dest=disk.target)
    yield from _unfreeze(desk, wish)
    yield from configure_new(desk, onto_overlays(wish))


def naive_give_up(desk: Desk, wish: Wish) -> Steps[None]:
    """Freeze all disks, snapshot the first, reopen it on its old image, unfreeze."""
    first = wish.disks[0]
    yield from _freeze(desk, wish)
    yield from desk.must("blockdev-snapshot-sync", device=first.device, snapshot_file=first.overlay)
    yield from desk.must("drive-reopen", device=first.device, source=first.old.path)
    yield from _unfreeze(desk, wish)
    yield from desk.delete(first.overlay)


def _freeze(desk: Desk, wish: Wish) -> Steps[None]:
    for disk in wish.disks:
        yield from desk.must("blockdev-freeze", device=disk.device)


def _unfreeze(desk: Desk, wish: Wish) -> Steps[None]:
    for disk in wish.disks:
        yield from desk.must("blockdev-unfreeze", device=disk.device)


# ---------------------------------------------------------------------------------------------- careful


def careful_group_snapshot(desk: Desk, wish: Wish) -> Steps[None]:
    """Freeze, snapshot each, unfreeze; after an error go back while still frozen."""
    moves = onto_overlays(wish)
    yield from begin(desk, [move.new.path for move in moves])
    yield from intend(desk, moves)
    try:
        yield from _freeze(desk, wish)
        yield from _snapshot_all(desk, moves)
        yield from done(desk, moves)
    except BlockError as why:
        yield from _thaw_after(desk, wish, undo(desk, moves, why))
    yield from _thaw(desk, wish)


def careful_switch(desk: Desk, wish: Wish) -> Steps[None]:
    """Prepare the overlays, freeze, reopen each, unfreeze; after an error go back while still frozen."""
    moves = onto_overlays(wish)
    yield from begin(desk, [move.new.path for move in moves])
    try:
        yield from make_overlays(desk, wish)
        yield from intend(desk, moves)
        yield from _freeze(desk, wish)
        yield from _reopen_all(desk, moves)
        yield from done(desk, moves)
    except BlockError as why:
        yield from _thaw_after(desk, wish, undo(desk, moves, why))
    yield from _thaw(desk, wish)


def careful_migrate(desk: Desk, wish: Wish) -> Steps[None]:
    """The sequence of oVirt, frozen twice.

    An error in the first part undoes it; after an error later all disks stay on the source.
    """
    yield from _snapshot_and_mirror(desk, wish)
    moves = onto_targets(wish)
    try:
        yield from copy_bases(desk, wish)
        yield from intend(desk, moves)
        yield from _freeze(desk, wish)
        yield from _reopen_all(desk, moves)
        yield from done(desk, moves)
    except BlockError as why:
        yield from _thaw_after(desk, wish, stay_on_source(desk, wish, why))
    yield from _thaw(desk, wish)
    yield from delete_sources(desk, wish)


def _snapshot_and_mirror(desk: Desk, wish: Wish) -> Steps[None]:
    moves = onto_overlays(wish)
    yield from begin(desk, [move.new.path for move in moves] + destination_files(wish))
    try:
        yield from make_targets(desk, wish)
        yield from intend(desk, moves)
        yield from _freeze(desk, wish)
        yield from _snapshot_all(desk, moves)
        for disk in wish.disks:
            yield from desk.must("drive-mirror", device=disk.device, dest=disk.target, format=LEAF_FORMAT)
        yield from done(desk, moves)
    except BlockError as why:
        yield from _thaw_after(desk, wish, undo(desk, moves, why, destination_files(wish)))
    yield from _thaw(desk, wish)


def careful_change(desk: Desk, wish: Wish) -> Steps[None]:
    """Prepare what is to be, freeze, do what each disk needs, unfreeze; after an error go back, frozen."""
    moves = onto_overlays(wish)
    yield from begin(desk, [move.new.path for move in moves] + mirror_files(wish))
    try:
        yield from make_overlays(desk, wish.only(Goal.PREPARED))
        yield from make_mirror_targets(desk, wish)
        yield from intend(desk, moves)
        yield from _freeze(desk, wish)
        for disk in wish.disks:
            yield from _change(desk, disk)
        yield from done(desk, moves)
    except BlockError as why:
        yield from _thaw_after(desk, wish, undo(desk, moves, why, mirror_files(wish)))
    yield from _thaw(desk, wish)


def _change(desk: Desk, disk: DiskWish) -> Steps[None]:
    image = overlay(disk)
    if disk.goal is Goal.PREPARED:
        yield from _reopen(desk, disk.device, image)
    else:
        yield from _snapshot(desk, disk.device, image)
    if disk.goal is Goal.MIRROR:
        yield from desk.must("drive-mirror", device=disk.device, dest=disk.target, format=LEAF_FORMAT)


def careful_give_up(desk: Desk, wish: Wish) -> Steps[None]:
    """Freeze, snapshot the first disk, go back whatever the answer was, unfreeze."""
    moves = onto_overlays(wish)[:1]
    yield from begin(desk, [move.new.path for move in moves])
    yield from try_out(desk, moves)
    yield from attempt(_first_snapshot(desk, wish, moves))
    yield from _thaw_after(desk, wish, _go_back(desk, moves))


def _first_snapshot(desk: Desk, wish: Wish, moves: Sequence[Move]) -> Steps[None]:
    yield from _freeze(desk, wish)
    yield from _snapshot_all(desk, moves)


def _go_back(desk: Desk, moves: Sequence[Move]) -> Steps[None]:
    yield from reopen_old(desk, moves)
    if (yield from clean_up(desk, moves)):
        raise GaveUp(f"{moves[0].device} cannot be brought back")


def _snapshot_all(desk: Desk, moves: Sequence[Move]) -> Steps[None]:
    for move in moves:
        yield from _snapshot(desk, move.device, move.new)


def _snapshot(desk: Desk, device: str, image: ImageRef) -> Steps[None]:
    yield from desk.must(
        "blockdev-snapshot-sync", device=device, snapshot_file=image.path, format=image.format
    )


def _reopen_all(desk: Desk, moves: Sequence[Move]) -> Steps[None]:
    for move in moves:
        yield from _reopen(desk, move.device, move.new)


def _reopen(desk: Desk, device: str, image: ImageRef) -> Steps[None]:
    yield from desk.must("drive-reopen", device=device, source=image.path, format=image.format)


def _thaw(desk: Desk, wish: Wish) -> Steps[None]:
    """Unfreeze every disk, whatever the others answer, and again what stays frozen; raise the first error."""
    failure: BlockError | None = None
    for disk in wish.disks:
        failed = yield from attempt(desk.must("blockdev-unfreeze", device=disk.device))
        failure = failure or failed
    if isinstance(failure, NoAnswer):
        yield from _thaw_frozen(desk)
        failure = None
    if failure is not None:
        raise failure


def _thaw_after(desk: Desk, wish: Wish, steps: Steps[None]) -> Steps[None]:
    """Do *steps*, thaw however they end, then raise their error: not every disk need have been frozen."""
    failure = yield from attempt(steps)
    yield from attempt(_thaw(desk, wish))
    if failure is not None:
        raise failure


def careful_recovery(desk: Desk, wish: Wish) -> Steps[None]:
    """Go back or forward while the guest still waits, then thaw what is frozen, however that ended.

    A grace period may end meanwhile: forward is right with a guest that writes as well.
    """
    failure = yield from attempt(_end_what_was_under_way(desk, wish))
    yield from attempt(_thaw_frozen(desk))
    if failure is not None:
        raise failure


def _finish(desk: Desk, disk: DiskWish) -> Steps[None]:
    """Let the disk show its overlay; a mirror begins anew, for what the target has missed nobody knows."""
    image = overlay(disk)
    if not (yield from look(desk)).shows(disk.device, image):
        yield from overlay_shown(desk, disk)
    if disk.goal is Goal.MIRROR:
        yield from _reopen(desk, disk.device, image)
        yield from delete_if_there(desk, disk.target)
        yield from desk.must("drive-mirror", device=disk.device, dest=disk.target, format=LEAF_FORMAT)


_end_what_was_under_way = recovery(Means(_finish))


def _thaw_frozen(desk: Desk) -> Steps[None]:
    for device in (yield from look(desk)).frozen:
        yield from desk.execute("blockdev-unfreeze", device=device)


RECOVER: Mapping[Manager, Program] = {Manager.NAIVE: believe, Manager.CAREFUL: careful_recovery}

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
        "mirror-many": careful_change,
        "switch-many": careful_switch,
        "mixed": careful_change,
        "give-up": careful_give_up,
        "retry": looked_up(careful_group_snapshot, reset=_thaw),
        "membership": careful_group_snapshot,
    },
}
