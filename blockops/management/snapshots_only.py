"""Proposals that know no command but snapshots: the programs of those whose one command takes a list, and
why none of them can do more.

The command is `blkdev-group-snapshot-sync`; what it does when it fails is each proposal's own.
"""

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
NO_MIRROR = Inexpressible("no mirror: a guest's write goes to the one image that the disk shows")
NO_SWITCH = Inexpressible(
    "no reopen: it puts an overlay of its own making on what is there; a prepared image is wiped or refused"
)
NO_GIVING_UP = Inexpressible("no command undoes a snapshot, not even that of one disk")

BEYOND_SNAPSHOTS: Mapping[str, Program | Inexpressible] = {
    "migrate-one": NO_MIGRATION,
    "migrate-many": NO_MIGRATION,
    "mirror-many": NO_MIRROR,
    "switch-many": NO_SWITCH,
    "mixed": NO_MIRROR,
    "give-up": NO_GIVING_UP,
}
"""The use cases that no sequence of snapshots fulfils, and why."""

ONE_COMMAND: Mapping[Manager, Mapping[str, Program | Inexpressible]] = {
    Manager.NAIVE: {
        "group-snapshot": naive_group_snapshot,
        "retry": repeated(naive_group_snapshot),
        "membership": naive_group_snapshot,
        **BEYOND_SNAPSHOTS,
    },
    Manager.CAREFUL: {
        "group-snapshot": careful_group_snapshot,
        "retry": looked_up(careful_group_snapshot),
        "membership": careful_group_snapshot,
        **BEYOND_SNAPSHOTS,
    },
}
"""The programs of a proposal with that one command."""
