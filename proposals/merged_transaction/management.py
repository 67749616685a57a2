"""What the list transaction and the mirror jobs leave to management.

Snapshots of many disks, and switches to prepared overlays (`mode: existing`), are one command.  A migration
is that command, then for each disk a job to start, to wait for, and to complete: the disks move one after
the other, and how a job ended has to be looked up.
"""

from collections.abc import Mapping, Sequence

from blockops.errors import BlockError
from blockops.management.careful import (
    attempt,
    begin,
    clean_up,
    delete_all,
    done,
    has_moved,
    intend,
    look,
    looked_up,
    settle,
    try_out,
)
from blockops.management.contestant import Inexpressible, Manager, Program
from blockops.management.desk import Desk, GaveUp, NoAnswer
from blockops.management.mirrors import complete, end_all, start_mirror, until_moved, until_ready
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
    target,
)
from blockops.management.recovery import BEGIN, Means, Sign, believe, recovery, since_the_end
from blockops.management.wish import DiskWish, Goal, Wish
from blockops.steps import Steps

ABORT: Mapping[str, object] = {"type": "abort", "data": {}}


def snapshots(moves: Sequence[Move], mode: str | None = None) -> list[Mapping[str, object]]:
    """Return the actions that put these new images on top; *mode* as in the command."""
    how = {} if mode is None else {"mode": mode}
    return [
        {
            "type": "blockdev-snapshot-sync",
            "data": {
                "device": move.device,
                "snapshot-file": move.new.path,
                "format": move.new.format,
                **how,
            },
        }
        for move in moves
    ]


# ------------------------------------------------------------------------------------------------ naive


def naive_group_snapshot(desk: Desk, wish: Wish) -> Steps[None]:
    """Send the one command, then let the machine start on the overlays from now on."""
    moves = onto_overlays(wish)
    yield from desk.must("transaction", actions=snapshots(moves))
    yield from configure_new(desk, moves)


def naive_switch(desk: Desk, wish: Wish) -> Steps[None]:
    """Prepare the overlays, then let one transaction open them as they are."""
    moves = onto_overlays(wish)
    yield from make_overlays(desk, wish)
    yield from desk.must("transaction", actions=snapshots(moves, "existing"))
    yield from configure_new(desk, moves)


def naive_migrate(desk: Desk, wish: Wish) -> Steps[None]:
    """Snapshot all, mirror each overlay, copy the bases, complete each mirror, delete the sources."""
    yield from make_targets(desk, wish)
    yield from naive_group_snapshot(desk, wish)
    moves = onto_targets(wish)
    for move in moves:
        yield from start_mirror(desk, move)
    yield from copy_bases(desk, wish)
    yield from until_ready(desk, moves)
    for move in moves:
        yield from complete(desk, move)
    for move in moves:
        yield from until_moved(desk, move)
    yield from configure_new(desk, moves)
    yield from delete_sources(desk, wish)


def naive_change(desk: Desk, wish: Wish) -> Steps[None]:
    """Prepare what is to be, snapshot or open all in one transaction, then mirror each overlay that is to be.

    The target of a mirror lies over the old image, so it began at the instant of the transaction.
    """
    moves = onto_overlays(wish)
    yield from make_overlays(desk, wish.only(Goal.PREPARED))
    yield from make_mirror_targets(desk, wish)
    yield from desk.must("transaction", actions=_changes(wish))
    yield from configure_new(desk, moves)
    for move in _mirrors(wish):
        yield from start_mirror(desk, move)
    yield from until_ready(desk, _mirrors(wish))


def _changes(wish: Wish) -> list[Mapping[str, object]]:
    return [
        action
        for disk in wish.disks
        for action in snapshots(
            onto_overlays(Wish(wish.use_case, (disk,))), "existing" if disk.goal is Goal.PREPARED else None
        )
    ]


def _mirrors(wish: Wish) -> list[Move]:
    return onto_targets(wish.only(Goal.MIRROR))


def naive_give_up(desk: Desk, wish: Wish) -> Steps[None]:
    """Snapshot the first disk in a transaction that aborts itself."""
    first = onto_overlays(wish)[:1]
    yield from desk.execute("transaction", actions=[*snapshots(first), ABORT])
    yield from delete_if_there(desk, first[0].new.path)


# ---------------------------------------------------------------------------------------------- careful


def careful_group_snapshot(desk: Desk, wish: Wish) -> Steps[None]:
    """Send the one command; after anything but success look, and delete the overlays that are not in use."""
    moves = onto_overlays(wish)
    yield from begin(desk, [move.new.path for move in moves])
    yield from intend(desk, moves)
    yield from _together(desk, moves, snapshots(moves))
    yield from done(desk, moves)


def _together(
    desk: Desk,
    moves: Sequence[Move],
    actions: Sequence[Mapping[str, object]],
    leftovers: Sequence[str] = (),
) -> Steps[None]:
    """Move all in one transaction; after a failure clean up, *leftovers* too, and raise `GaveUp`."""
    try:
        yield from desk.must("transaction", actions=actions)
    except BlockError as why:
        if not (yield from has_moved(desk, moves)):
            yield from settle(desk, moves, why, leftovers)


def careful_switch(desk: Desk, wish: Wish) -> Steps[None]:
    """Prepare the overlays, then let one transaction open them as they are."""
    moves = onto_overlays(wish)
    yield from begin(desk, [move.new.path for move in moves])
    try:
        yield from make_overlays(desk, wish)
        yield from intend(desk, moves)
    except BlockError as why:
        yield from settle(desk, moves, why)
    yield from _together(desk, moves, snapshots(moves, "existing"))
    yield from done(desk, moves)


def careful_migrate(desk: Desk, wish: Wish) -> Steps[None]:
    """Snapshot all; then each disk moves for itself, and is in the books as soon as it has moved.

    After an error every disk goes back to the source: one that has moved already by a mirror the other way.
    """
    onto_source, onto_destination = onto_overlays(wish), onto_targets(wish)
    yield from begin(desk, [move.new.path for move in onto_source] + destination_files(wish))
    try:
        yield from make_targets(desk, wish)
        yield from intend(desk, onto_source)
    except BlockError as why:
        yield from settle(desk, onto_source, why, destination_files(wish))
    yield from _together(desk, onto_source, snapshots(onto_source), destination_files(wish))
    try:
        yield from done(desk, onto_source)
        for move in onto_destination:
            yield from start_mirror(desk, move)
        yield from copy_bases(desk, wish)
        yield from until_ready(desk, onto_destination)
        for move in onto_destination:
            yield from intend(desk, [move])
            yield from _move(desk, move)
    except BlockError as why:
        yield from _stay_on_source(desk, wish, why)
    yield from delete_sources(desk, wish)


def _move(desk: Desk, move: Move) -> Steps[None]:
    yield from complete(desk, move)
    yield from until_moved(desk, move)
    yield from done(desk, [move])


def _stay_on_source(desk: Desk, wish: Wish, why: BlockError) -> Steps[None]:
    """End all mirrors, take those back that have moved, delete the destination; raises `GaveUp`.

    Nothing is deleted while a job may run, for `query-block` does not name the target of a mirror; nor of a
    disk that is on the destination, or will be after a restart because its books could not be written.
    """
    left = yield from _taken_back(desk, wish)
    gone = [path for disk in wish.disks if disk not in left for path in (disk.target, disk.target_base)]
    yield from delete_all(desk, gone)
    names = ", ".join(disk.device for disk in left)
    raise GaveUp(f"not on the source: {names}" if left else "all disks are on the source", why)


def _taken_back(desk: Desk, wish: Wish) -> Steps[list[DiskWish]]:
    """End all mirrors and take those back that have moved; return the disks for which that did not work."""
    moves = onto_targets(wish)
    yield from end_all(desk, moves)
    live = yield from look(desk)
    for move in moves:
        if live.shows(move.device, move.new):
            yield from attempt(_mirror_back(desk, move))
            yield from end_all(desk, moves)
    live = yield from look(desk)
    shown = {
        disk.device: image
        for disk in wish.disks
        for image in (disk.old, overlay(disk), target(disk))
        if live.shows(disk.device, image)
    }
    if (yield from attempt(desk.configure(shown))) is None:
        yield from attempt(desk.note("undo"))
    books = desk.configuration()
    return [d for d in wish.disks if target(d) in (shown.get(d.device, target(d)), books.get(d.device))]


def _mirror_back(desk: Desk, move: Move) -> Steps[None]:
    """Let the disk return to its image on the source, which gets all that was written since it moved."""
    back = Move(move.device, move.new, move.old, move.backing)
    yield from start_mirror(desk, back)
    yield from until_ready(desk, [back])
    yield from _move(desk, back)


def careful_change(desk: Desk, wish: Wish) -> Steps[None]:
    """As the naive one does it; after an error no disk is mirrored.

    Disks that the transaction has taken to their overlays stay there: nothing takes a snapshot back.
    """
    moves = onto_overlays(wish)
    yield from begin(desk, [move.new.path for move in moves] + mirror_files(wish))
    try:
        yield from make_overlays(desk, wish.only(Goal.PREPARED))
        yield from make_mirror_targets(desk, wish)
        yield from intend(desk, moves)
    except BlockError as why:
        yield from settle(desk, moves, why, mirror_files(wish))
    yield from _together(desk, moves, _changes(wish), mirror_files(wish))
    try:
        yield from done(desk, moves)
        alone = len(_mirrors(wish)) == len(moves)
        yield from (_mirrored if alone else _mirrored_after_all)(desk, _mirrors(wish))
    except BlockError as why:
        yield from end_all(desk, _mirrors(wish))
        yield from delete_all(desk, mirror_files(wish))
        raise GaveUp("all disks are on their overlays, and none is mirrored", why) from why


def _mirrored(desk: Desk, moves: Sequence[Move]) -> Steps[None]:
    for move in moves:
        yield from start_mirror(desk, move)
    yield from until_ready(desk, moves)


def _mirrored_after_all(desk: Desk, moves: Sequence[Move]) -> Steps[None]:
    """Mirror disks beside which others stay changed: after no answer end what has begun and begin again."""
    failure = yield from attempt(_mirrored(desk, moves))
    if isinstance(failure, NoAnswer):
        yield from end_all(desk, moves)
        yield from _mirrored(desk, moves)
    elif failure is not None:
        raise failure


def careful_give_up(desk: Desk, wish: Wish) -> Steps[None]:
    """Snapshot the first disk in a transaction that aborts itself, and look."""
    first = onto_overlays(wish)[:1]
    yield from begin(desk, [first[0].new.path])
    yield from try_out(desk, first)
    yield from desk.execute("transaction", actions=[*snapshots(first), ABORT])
    if (yield from clean_up(desk, first)):
        raise GaveUp(f"{first[0].device} cannot be brought back")


# --------------------------------------------------------------------------------------------- recovery


def careful_recovery(desk: Desk, wish: Wish) -> Steps[None]:
    """Keep mirrors that are wanted and ready on all disks; end all other jobs, then what was under way.

    A migration that has not come to its end on every disk goes back to the source.
    """
    began = any(note["kind"] in BEGIN for note in since_the_end((yield from desk.notes())))
    if (yield from attempt(_all_mirrored(desk, wish))) is None:
        yield from (done(desk, onto_overlays(wish)) if began else believe(desk, wish))
        yield from desk.note("recovered")
        return
    failure = yield from attempt(end_all(desk, onto_targets(wish)))
    migrating = failure is None and wish.use_case.startswith("migrate")
    if migrating and began:
        yield from _recover_migration(desk, wish)
        return
    if migrating and (yield from _arrived_partly(desk, wish)):
        yield from _taken_back(desk, wish)  # without notes, so no file is deleted
    if failure is not None and not isinstance(failure, NoAnswer):
        raise failure
    yield from _end_what_was_under_way(desk, wish)


def _finish(desk: Desk, disk: DiskWish) -> Steps[None]:
    """Mirror a disk that is on its overlay: that all of them are on theirs is the transaction's doing."""
    one = Wish("", (disk,))
    if not (yield from desk.exists(disk.target)):
        yield from make_mirror_targets(desk, one)
    yield from _mirrored_after_all(desk, _mirrors(one))


_end_what_was_under_way = recovery(Means(_finish, reopens=False, mirrors=Sign.NOTHING))


def _all_mirrored(desk: Desk, wish: Wish) -> Steps[None]:
    """Raise unless mirrors are wanted, all of them are ready, and every disk shows what goes with them."""
    mirrors = _mirrors(wish)
    if not mirrors or not (yield from has_moved(desk, onto_overlays(wish))):
        raise GaveUp("not all of the use case is fulfilled")
    yield from until_ready(desk, mirrors)


def _arrived_partly(desk: Desk, wish: Wish) -> Steps[bool]:
    """Ask the hypervisor whether some disks show their targets and others do not."""
    live = yield from look(desk)
    return len({live.shows(move.device, move.new) for move in onto_targets(wish)}) == 2


def _recover_migration(desk: Desk, wish: Wish) -> Steps[None]:
    moves = onto_targets(wish)
    if (yield from has_moved(desk, moves)):
        yield from done(desk, moves)
        for disk in wish.disks:
            yield from delete_if_there(desk, disk.overlay)
            yield from delete_if_there(desk, disk.old.path)
    else:
        failure = yield from attempt(_stay_on_source(desk, wish, GaveUp("management died")))
        if failure is not None and not isinstance(failure, GaveUp):
            raise failure
    yield from desk.note("recovered")


RECOVER: Mapping[Manager, Program] = {Manager.NAIVE: believe, Manager.CAREFUL: careful_recovery}

PROGRAMS: Mapping[Manager, Mapping[str, Program | Inexpressible]] = {
    Manager.NAIVE: {
        "group-snapshot": naive_group_snapshot,
        "migrate-one": naive_migrate,
        "migrate-many": naive_migrate,
        "mirror-many": naive_change,
        "mixed": naive_change,
        "switch-many": naive_switch,
        "give-up": naive_give_up,
        "retry": repeated(naive_group_snapshot),
        "membership": naive_group_snapshot,
    },
    Manager.CAREFUL: {
        "group-snapshot": careful_group_snapshot,
        "migrate-one": careful_migrate,
        "migrate-many": careful_migrate,
        "mirror-many": careful_change,
        "mixed": careful_change,
        "switch-many": careful_switch,
        "give-up": careful_give_up,
        "retry": looked_up(careful_group_snapshot),
        "membership": careful_group_snapshot,
    },
}
