"""What the group snapshot leaves to management: little, as long as only snapshots are wanted."""

from collections.abc import Mapping

from blockops.errors import BlockError
from blockops.management.careful import begin, done, has_moved, intend, looked_up, settle
from blockops.management.contestant import Inexpressible, Manager, Program
from blockops.management.desk import Desk
from blockops.management.programs import configure_new, onto_overlays, repeated
from blockops.management.wish import Wish
from blockops.steps import Steps


def naive_group_snapshot(desk: Desk, wish: Wish) -> Steps[None]:
    """Send the one command, then let the machine start on the overlays from now on."""
    devlist = [{"device": disk.device, "snapshot-file": disk.overlay} for disk in wish.disks]
    yield from desk.must("blkdev-group-snapshot-sync", devlist=devlist)
    yield from configure_new(desk, onto_overlays(wish))


def careful_group_snapshot(desk: Desk, wish: Wish) -> Steps[None]:
    """Send the one command; after anything but success look, and delete the overlays that are not in use."""
    moves = onto_overlays(wish)
    devlist = [
        {"device": move.device, "snapshot-file": move.new.path, "format": move.new.format} for move in moves
    ]
    yield from begin(desk, [move.new.path for move in moves])
    yield from intend(desk, moves)
    try:
        yield from desk.must("blkdev-group-snapshot-sync", devlist=devlist)
    except BlockError as why:
        if not (yield from has_moved(desk, moves)):
            yield from settle(desk, moves, why)
    yield from done(desk, moves)


NO_MIGRATION = Inexpressible("no mirror and no reopen: a disk never leaves the storage that it is on")
NO_SWITCH = Inexpressible(
    "no reopen: it puts an overlay of its own making on what is there; a prepared image is wiped or refused"
)
NO_GIVING_UP = Inexpressible("its one command does everything, and no command undoes a snapshot")

_CANNOT: Mapping[str, Program | Inexpressible] = {
    "migrate-one": NO_MIGRATION,
    "migrate-many": NO_MIGRATION,
    "switch-many": NO_SWITCH,
    "give-up": NO_GIVING_UP,
}

PROGRAMS: Mapping[Manager, Mapping[str, Program | Inexpressible]] = {
    Manager.NAIVE: {
        "group-snapshot": naive_group_snapshot,
        "retry": repeated(naive_group_snapshot),
        **_CANNOT,
    },
    Manager.CAREFUL: {
        "group-snapshot": careful_group_snapshot,
        "retry": looked_up(careful_group_snapshot),
        **_CANNOT,
    },
}
