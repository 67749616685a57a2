"""What the session transaction leaves to management: to commit, or to abort.

The naive manager leaves a transaction open when a command fails; the server aborts it when the connection
ends.
"""

from collections.abc import Mapping, Sequence

from blockops.errors import BlockError
from blockops.management.careful import (
    attempt,
    begin,
    clean_up,
    done,
    has_moved,
    intend,
    looked_up,
    stay_on_source,
    try_out,
    undo,
)
from blockops.management.contestant import Inexpressible, Manager, Program
from blockops.management.desk import Answer, Desk, GaveUp, Lost, NoAnswer
from blockops.management.programs import (
    Move,
    configure_new,
    copy_bases,
    delete_if_there,
    delete_sources,
    destination_files,
    make_overlays,
    make_targets,
    mirror_files,
    onto_overlays,
    onto_targets,
    overlay,
    repeated,
)
from blockops.management.recovery import Means, Sign, believe, overlay_shown, recovery
from blockops.management.use_cases import LEAF_FORMAT
from blockops.management.wish import DiskWish, Goal, ImageRef, Wish
from blockops.steps import Steps

# ------------------------------------------------------------------------------------------------ naive


def naive_group_snapshot(desk: Desk, wish: Wish) -> Steps[None]:
    """Queue a snapshot of each disk, then commit."""
    yield from desk.must("blockdev-start-transaction")
    for disk in wish.disks:
        yield from desk.must("blockdev-snapshot-sync", device=disk.device, snapshot_file=disk.overlay)
    yield from desk.must("blockdev-commit-transaction")
    yield from configure_new(desk, onto_overlays(wish))


def naive_switch(desk: Desk, wish: Wish) -> Steps[None]:
    """Prepare the overlays, queue a reopen of each disk, then commit."""
    yield from make_overlays(desk, wish)
    yield from desk.must("blockdev-start-transaction")
    for disk in wish.disks:
        yield from desk.must("drive-reopen", device=disk.device, source=disk.overlay)
    yield from desk.must("blockdev-commit-transaction")
    yield from configure_new(desk, onto_overlays(wish))


def naive_migrate(desk: Desk, wish: Wish) -> Steps[None]:
    """The sequence of oVirt in two transactions: snapshot and mirror; copy; reopen; delete.

    The snapshot before the mirror: the other way round the target would receive nothing.
    """
    yield from make_targets(desk, wish)
    yield from desk.must("blockdev-start-transaction")
    for disk in wish.disks:
        yield from desk.must("blockdev-snapshot-sync", device=disk.device, snapshot_file=disk.overlay)
        yield from desk.must("drive-mirror", device=disk.device, dest=disk.target)
    yield from desk.must("blockdev-commit-transaction")
    yield from configure_new(desk, onto_overlays(wish))
    yield from copy_bases(desk, wish)
    yield from desk.must("blockdev-start-transaction")
    for disk in wish.disks:
        yield from desk.must("drive-reopen", device=disk.device, source=disk.target)
    yield from desk.must("blockdev-commit-transaction")
    yield from configure_new(desk, onto_targets(wish))
    yield from delete_sources(desk, wish)


def naive_change(desk: Desk, wish: Wish) -> Steps[None]:
    """Prepare what is to be, queue what each disk needs, then commit.

    A mirror goes with a snapshot, after it: so what the target is made over changes no more.
    """
    yield from make_overlays(desk, wish.only(Goal.PREPARED))
    yield from desk.must("blockdev-start-transaction")
    for disk in wish.disks:
        if disk.goal is Goal.PREPARED:
            yield from desk.must("drive-reopen", device=disk.device, source=disk.overlay)
        else:
            yield from desk.must("blockdev-snapshot-sync", device=disk.device, snapshot_file=disk.overlay)
        if disk.goal is Goal.MIRROR:
            yield from desk.must("drive-mirror", device=disk.device, dest=disk.target)
    yield from desk.must("blockdev-commit-transaction")
    yield from configure_new(desk, onto_overlays(wish))


def naive_give_up(desk: Desk, wish: Wish) -> Steps[None]:
    """Queue the first snapshot, then abort."""
    first = wish.disks[0]
    yield from desk.must("blockdev-start-transaction")
    yield from desk.must("blockdev-snapshot-sync", device=first.device, snapshot_file=first.overlay)
    yield from desk.must("blockdev-abort-transaction")
    yield from delete_if_there(desk, first.overlay)


# ---------------------------------------------------------------------------------------------- careful


def careful_group_snapshot(desk: Desk, wish: Wish) -> Steps[None]:
    """Queue a snapshot of each disk, then commit; after an error abort."""
    moves = onto_overlays(wish)
    yield from begin(desk, [move.new.path for move in moves])
    yield from intend(desk, moves)
    try:
        yield from _start_with_snapshots(desk, moves)
        yield from desk.must("blockdev-commit-transaction")
    except BlockError as why:
        yield from _abort(desk, wish)
        if not (yield from has_moved(desk, moves)):
            yield from undo(desk, moves, why)
    yield from done(desk, moves)


def careful_switch(desk: Desk, wish: Wish) -> Steps[None]:
    """Prepare the overlays, queue a reopen of each disk, then commit; after an error abort."""
    moves = onto_overlays(wish)
    yield from begin(desk, [move.new.path for move in moves])
    try:
        yield from make_overlays(desk, wish)
        yield from intend(desk, moves)
        yield from _reopen_all(desk, moves)
    except BlockError as why:
        yield from _abort(desk, wish)
        if not (yield from has_moved(desk, moves)):
            yield from undo(desk, moves, why)
    yield from done(desk, moves)


def careful_migrate(desk: Desk, wish: Wish) -> Steps[None]:
    """The sequence of oVirt in two transactions.

    An error in the first undoes it; after an error later all disks stay on the source.
    """
    yield from _snapshot_and_mirror(desk, wish)
    moves = onto_targets(wish)
    try:
        yield from copy_bases(desk, wish)
        yield from intend(desk, moves)
        yield from _reopen_all(desk, moves)
    except BlockError as why:
        yield from _abort(desk, wish)
        if not (yield from has_moved(desk, moves)):
            yield from stay_on_source(desk, wish, why)
    yield from done(desk, moves)
    yield from delete_sources(desk, wish)


def _snapshot_and_mirror(desk: Desk, wish: Wish) -> Steps[None]:
    """Commit snapshots and mirrors together; they are not believed in without a success reply."""
    moves = onto_overlays(wish)
    yield from begin(desk, [move.new.path for move in moves] + destination_files(wish))
    try:
        yield from make_targets(desk, wish)
        yield from intend(desk, moves)
        yield from _start_with_snapshots(desk, moves)
        for disk in wish.disks:
            yield from desk.must("drive-mirror", device=disk.device, dest=disk.target, format=LEAF_FORMAT)
        yield from desk.must("blockdev-commit-transaction")
    except BlockError as why:
        yield from _abort(desk, wish)
        if isinstance(why, NoAnswer):  # the disks may have moved on since, and their overlays hold all
            yield from stay_on_source(desk, wish, why)
        yield from undo(desk, moves, why, destination_files(wish))
    try:
        yield from done(desk, moves)
    except BlockError as why:
        yield from stay_on_source(desk, wish, why)


def careful_change(desk: Desk, wish: Wish) -> Steps[None]:
    """Prepare what is to be, queue what each disk needs, then commit; after an error abort."""
    moves = onto_overlays(wish)
    yield from begin(desk, [move.new.path for move in moves] + mirror_files(wish))
    try:
        yield from make_overlays(desk, wish.only(Goal.PREPARED))
        yield from intend(desk, moves)
        yield from desk.must("blockdev-start-transaction")
        for disk in wish.disks:
            yield from _queue(desk, disk)
        yield from desk.must("blockdev-commit-transaction")
    except BlockError as why:
        yield from _abort(desk, wish)
        if not (yield from has_moved(desk, moves)):
            yield from undo(desk, moves, why, mirror_files(wish))
    yield from done(desk, moves)


def _queue(desk: Desk, disk: DiskWish) -> Steps[None]:
    image = overlay(disk)
    if disk.goal is Goal.PREPARED:
        yield from desk.must("drive-reopen", device=disk.device, source=image.path, format=image.format)
    else:
        yield from _snapshot(desk, disk.device, image)
    if disk.goal is Goal.MIRROR:
        yield from desk.must("drive-mirror", device=disk.device, dest=disk.target, format=LEAF_FORMAT)


def careful_give_up(desk: Desk, wish: Wish) -> Steps[None]:
    """Queue the first snapshot, abort whatever the answer was, and look."""
    moves = onto_overlays(wish)[:1]
    yield from begin(desk, [move.new.path for move in moves])
    yield from try_out(desk, moves)
    yield from attempt(_start_with_snapshots(desk, moves))
    yield from _abort(desk, wish)
    if (yield from clean_up(desk, moves)):
        raise GaveUp(f"{moves[0].device} cannot be brought back")


def _start_with_snapshots(desk: Desk, moves: Sequence[Move]) -> Steps[None]:
    yield from desk.must("blockdev-start-transaction")
    for move in moves:
        yield from _snapshot(desk, move.device, move.new)


def _snapshot(desk: Desk, device: str, image: ImageRef) -> Steps[None]:
    yield from desk.must(
        "blockdev-snapshot-sync", device=device, snapshot_file=image.path, format=image.format
    )


def _reopen_all(desk: Desk, moves: Sequence[Move]) -> Steps[None]:
    yield from desk.must("blockdev-start-transaction")
    for move in moves:
        yield from desk.must("drive-reopen", device=move.device, source=move.new.path, format=move.new.format)
    yield from desk.must("blockdev-commit-transaction")


def _abort(desk: Desk, wish: Wish) -> Steps[Answer]:
    """Abort; refused where a failed commit or an earlier abort has ended the transaction already."""
    return (yield from desk.execute("blockdev-abort-transaction"))


def careful_recovery(desk: Desk, wish: Wish) -> Steps[None]:
    """Wait until the dead manager's transaction has been aborted, then go back or forward."""
    yield from _wait_until_none_is_open(desk)
    yield from _end_what_was_under_way(desk, wish)


_end_what_was_under_way = recovery(Means(overlay_shown, mirrors=Sign.OVERLAYS))


def _wait_until_none_is_open(desk: Desk) -> Steps[None]:
    """Open a transaction and abort it again: that is refused while another one is open or being aborted."""
    for _ in range(ATTEMPTS):
        answer = yield from desk.execute("blockdev-start-transaction")
        if isinstance(answer, Lost) or answer.ok:
            yield from desk.execute("blockdev-abort-transaction")
            return


ATTEMPTS = 64
"""How often a new manager asks whether the transaction of the one before has ended."""

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
        "retry": looked_up(careful_group_snapshot, reset=_abort),
        "membership": careful_group_snapshot,
    },
}
