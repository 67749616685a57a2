"""Defects planted between the guest and its images: in the device, its gate, zeroes and mirrors."""

import pytest

import blockops.device as device_module
import proposals.freeze.management as freeze_management
from blockops.device import Device, Hold, Operation, Request, RequestState
from blockops.graph.blkmirror import MirrorNode
from blockops.graph.node import Node
from blockops.lab.world import Workload, World
from blockops.management.desk import Desk
from blockops.management.wish import Wish
from blockops.qcow2.mapping import ClusterMap
from blockops.steps import Phase, Step, Steps
from blockops.units import SECTOR
from tests.quality.bugs_commands import PACES, no_drain
from tests.quality.planting import Bug, where

GROUP = ("group-snapshot.hardened.naive", "group-snapshot")
# Every other request that is in flight is a discard.
DISCARDING = World(devices=1, workload=Workload(discard_every=1))
MIRRORED = where("transaction.hardened.naive", "migrate-one", *PACES, world=DISCARDING)


def fua_acknowledged_before_the_flush(patch: pytest.MonkeyPatch) -> None:
    honest = device_module.perform

    def hasty(request: Request) -> None:
        forced, request.fua = request.fua, False
        honest(request)
        request.fua = forced

    patch.setattr(device_module, "perform", hasty)


def queued_discards_dropped(patch: pytest.MonkeyPatch) -> None:
    honest = Device.open_gate

    def careless(device: Device, hold: Hold) -> None:
        for request in [one for one in device.queue if one.operation is Operation.DISCARD]:
            device.queue.remove(request)
            request.node, request.state = device.top, RequestState.DONE
        honest(device, hold)

    patch.setattr(Device, "open_gate", careless)


def discard_shows_the_backing(patch: pytest.MonkeyPatch) -> None:
    honest = ClusterMap.clear

    def unallocated(mapping: ClusterMap, cluster: int, count: int, *, zero: bool) -> None:
        honest(mapping, cluster, count, zero=False)

    patch.setattr(ClusterMap, "clear", unallocated)


def drain_that_ignores_discards(patch: pytest.MonkeyPatch) -> None:
    def half(device: Device) -> Steps[None]:
        while any(request.operation is not Operation.DISCARD for request in device.in_flight):
            yield Step(Phase.DRAIN, device.name, waits_for=device)
        yield Step(Phase.DRAIN, device.name)

    patch.setattr(Device, "settled", half)


def write_carried_out_after_the_next_request(patch: pytest.MonkeyPatch) -> None:
    honest = Device.complete
    late: dict[str, Request] = {}

    def lazy(device: Device, request: Request) -> None:
        waiting = late.pop(device.name, None)
        if request.operation is Operation.WRITE and waiting is None:
            late[device.name] = Request(request.operation, request.offset, request.length, request.data)
            late[device.name].node = request.node
            device.in_flight.remove(request)
            request.state = RequestState.DONE
            return
        honest(device, request)
        if waiting is not None:
            device_module.perform(waiting)

    patch.setattr(Device, "complete", lazy)


def sector_read_when_a_write_is_submitted(patch: pytest.MonkeyPatch) -> None:
    honest = Device._start

    def early(device: Device, request: Request) -> None:
        honest(device, request)
        if request.operation is Operation.WRITE and request.node is not None:
            data = device_module._whole_sectors(request.node, request.offset, request.data)
            request.offset, request.data = data

    patch.setattr(Device, "_start", early)


def unaligned_write_rounded_down(patch: pytest.MonkeyPatch) -> None:
    def rounded(node: Node, offset: int, data: bytes) -> tuple[int, bytes]:
        return offset // SECTOR * SECTOR, data

    patch.setattr(device_module, "_whole_sectors", rounded)


def mirror_keeps_discards_to_itself(patch: pytest.MonkeyPatch) -> None:
    def half(node: MirrorNode, offset: int, length: int) -> None:
        node.upper.discard(offset, length)

    patch.setattr(MirrorNode, "discard", half)


def switched_without_a_freeze(patch: pytest.MonkeyPatch) -> None:
    """Freeze for the snapshots only, not for the switch that ends the migration."""
    frozen: list[Desk] = []
    freeze, unfreeze = freeze_management._freeze, freeze_management._unfreeze

    def once(desk: Desk, wish: Wish) -> Steps[None]:
        if desk not in frozen:
            yield from freeze(desk, wish)
            frozen.append(desk)

    def thawed_once(desk: Desk, wish: Wish) -> Steps[None]:
        if frozen.count(desk) == 1:
            frozen.append(desk)
            yield from unfreeze(desk, wish)

    patch.setattr(freeze_management, "_freeze", once)
    patch.setattr(freeze_management, "_unfreeze", thawed_once)


BUGS = (
    Bug(
        "an FUA write is acknowledged before the flush",
        "device.py: done is durable (scsi_write_do_fua)",
        where(*GROUP, "kill"),
        "nothing-lost",
        fua_acknowledged_before_the_flush,
    ),
    Bug(
        "a discard that waits at a gate is acknowledged and not carried out",
        "lab.md: a request can be in flight across any step",
        where(*GROUP, *PACES),
        "content",
        queued_discards_dropped,
    ),
    Bug(
        "a discard in an overlay shows the base again",
        "qcow2 specification: version 3 clusters read as zeroes",
        where(*GROUP, *PACES),
        "content",
        discard_shows_the_backing,
    ),
    Bug(
        "the drain before a close ignores discards in flight",
        "lab.md: a missing drain shows",
        where("drive-migrate.as-posted.naive", "switch-many", *PACES),
        "content",
        drain_that_ignores_discards,
    ),
    Bug(
        "a write is carried out after the request that came next",
        "device.py: of overlapping writes the one submitted after the other's end wins",
        where(*GROUP, *PACES),
        "content",
        write_carried_out_after_the_next_request,
    ),
    Bug(
        "the sectors around a write are read when it is submitted",
        "device.py: writes in flight to one sector do not undo each other",
        where(*GROUP, *PACES),
        "content",
        sector_read_when_a_write_is_submitted,
    ),
    Bug(
        "a write that begins inside a sector goes to its start",
        "device.py: whole sectors, with what is around the data",
        where(*GROUP, "no-fault"),
        "content",
        unaligned_write_rounded_down,
    ),
    Bug(
        "the mirror discards on the source only",
        "semantics.md, section 2: writes and discards to both",
        MIRRORED,
        "content",
        mirror_keeps_discards_to_itself,
    ),
    Bug(
        "mirrors begin without a drain",
        "lab.md, law one-instant: for mirrors",
        where("transaction.hardened.naive", "mirror-many", *PACES),
        "one-instant",
        no_drain,
    ),
    Bug(
        "the devices leave their mirrors with no freeze around it",
        "lab.md, law one-instant: targets at their pivot",
        where("freeze.hardened.naive", "migrate-many", *PACES),
        "one-instant",
        switched_without_a_freeze,
    ),
)
