"""Defects that only a power cut brings out: what was not flushed, or in the wrong order."""

import json
import posixpath
from collections.abc import Iterable, Mapping, Sequence

import attrs
import pytest

import blockops.commands.images as images_module
import blockops.device as device_module
import blockops.graph.formats as formats_module
import proposals.recorded_transaction.commands as recorded_commands
import proposals.recorded_transaction.management as recorded_management
from blockops.commands.action import Action, switch_all
from blockops.commands.images import Images
from blockops.commands.pivot import Pivot
from blockops.device import Device, Request
from blockops.graph.formats import NewImage, create_image
from blockops.host.api import HostFile, HostFolder, write_fully
from blockops.lab.power.models import Model
from blockops.lab.world import Workload, World
from blockops.machine import Machine
from blockops.management.desk import Desk
from blockops.management.programs import Move, configure_new, delete_if_there
from blockops.management.wish import ImageRef, Wish
from blockops.qcow2.create import create as create_qcow2
from blockops.qcow2.durable import DurableFile
from blockops.qcow2.table_cache import RootTable, TableCache
from blockops.steps import Steps
from proposals.recorded_transaction.record import Decision, Intent, Outcome
from tests.quality.planting import CORE, Bug, Where


def cut(contestant: str, use_case: str, *models: Model, world: World | None = None) -> Where:
    """Return a setting with all its power cuts by these models."""
    return Where(contestant, use_case, models=models, world=world)


GROUP = "group-snapshot.hardened.careful"
RECORDED = "recorded-transaction.hardened.careful"
# So busy that the guest flushes what it wrote to the new images before the books say so.
BUSY = World(devices=1, workload=Workload(before=1, after=4, flush_every=1, in_flight=1), schedule=(6,))
SMALL = World(devices=1, workload=Workload(before=2, after=1))


# ------------------------------------------------------------------------------------------------ images


def no_folder_is_synced(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Images, "sync_folder", lambda images, filename: None)


def header_written_with_the_tables(patch: pytest.MonkeyPatch) -> None:
    def hasty(file: HostFile, *, durable: bool, **named: object) -> None:
        create_qcow2(file, durable=False, **named)  # type: ignore[arg-type]  # whatever it takes
        file.flush()

    patch.setattr(formats_module, "create_qcow2", hasty)


def new_images_flushed_by_nobody(patch: pytest.MonkeyPatch) -> None:
    def trusting(folder: HostFolder, new: NewImage, *, durable: bool) -> None:
        create_image(folder, new, durable=False)

    patch.setattr(images_module, "create_image", trusting)
    patch.setattr(Pivot, "_prepared", lambda pivot: [])
    for action in Pivot.__subclasses__():
        patch.setattr(action, "_prepared", lambda pivot: [])


def flush_that_asks_nobody(patch: pytest.MonkeyPatch) -> None:
    def kept(file: DurableFile) -> None:
        file.pending, file._flushed = False, True

    patch.setattr(DurableFile, "flush", kept)


def fua_never_flushed(patch: pytest.MonkeyPatch) -> None:
    def plain(request: Request) -> None:
        assert request.node is not None
        device_module._PERFORM[request.operation](request.node, request)

    patch.setattr(device_module, "perform", plain)


def no_barrier_between_counts_and_tables(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(TableCache, "depends_on", lambda cache, *stages: None)
    patch.setattr(RootTable, "depends_on", lambda table, *stages: None)


# ------------------------------------------------------------------------------------------------- books


def books_renamed_before_they_are_flushed(patch: pytest.MonkeyPatch) -> None:
    def careless(desk: Desk, name: str, content: object) -> None:
        path = posixpath.join(desk.books, name)
        file = desk.host.create(f"{path}.new", replace=True)
        write_fully(file, 0, json.dumps(content).encode())
        file.close()
        desk.host.rename(f"{path}.new", path)
        desk.host.sync(desk.books)
        desk._known[name] = content

    patch.setattr(Desk, "_replace", careless)


def books_folder_never_synced(patch: pytest.MonkeyPatch) -> None:
    def careless(desk: Desk, name: str, content: object) -> None:
        path = posixpath.join(desk.books, name)
        file = desk.host.create(f"{path}.new", replace=True)
        write_fully(file, 0, json.dumps(content).encode())
        file.flush()
        file.close()
        desk.host.rename(f"{path}.new", path)
        desk._known[name] = content

    patch.setattr(Desk, "_replace", careless)


def books_written_in_place(patch: pytest.MonkeyPatch) -> None:
    def in_place(desk: Desk, name: str, content: object) -> None:
        file = desk.host.create(posixpath.join(desk.books, name), replace=True)
        write_fully(file, 0, json.dumps(content).encode())
        file.flush()
        file.close()
        desk.host.sync(desk.books)
        desk._known[name] = content

    patch.setattr(Desk, "_replace", in_place)


def sources_deleted_before_the_books_know(patch: pytest.MonkeyPatch) -> None:
    def hasty(desk: Desk, moves: Sequence[Move]) -> Steps[None]:
        yield from delete_if_there(desk, recorded_management.record_of(desk))
        for move in moves if moves[0].new.path.startswith("/vm/dst/") else ():
            yield from delete_if_there(desk, move.old.path)
        yield from configure_new(desk, moves)

    def rest(desk: Desk, wish: Wish) -> Steps[None]:
        for disk in wish.disks:
            yield from delete_if_there(desk, disk.old.path)

    patch.setattr(recorded_management, "believe", hasty)
    patch.setattr(recorded_management, "delete_sources", rest)


# ------------------------------------------------------------------------------------------- the record


def record_s_name_not_durable(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Intent, "_sync_folder", lambda intent: None)


def decision_not_flushed(patch: pytest.MonkeyPatch) -> None:
    def hopeful(intent: Intent, outcome: Outcome) -> None:
        assert intent.file is not None
        write_fully(intent.file, 0, outcome.value)

    patch.setattr(Intent, "mark", hopeful)


def decided_before_all_is_flushed(patch: pytest.MonkeyPatch) -> None:
    def hasty(machine: Machine, drained: Iterable[Device], actions: Sequence[Action]) -> Steps[None]:
        first = sorted(actions, key=lambda one: not isinstance(one, Intent | Decision))
        yield from switch_all(machine, drained, first)

    patch.setattr(recorded_commands, "switch_all", hasty)


def record_removed_before_it_is_believed(patch: pytest.MonkeyPatch) -> None:
    def forgetful(desk: Desk, moves: Sequence[Move]) -> Steps[None]:
        yield from delete_if_there(desk, recorded_management.record_of(desk))
        yield from configure_new(desk, moves)

    patch.setattr(recorded_management, "believe", forgetful)


def recovery_removes_the_record_first(patch: pytest.MonkeyPatch) -> None:
    honest = Desk.configure

    def late(desk: Desk, images: Mapping[str, ImageRef]) -> Steps[None]:
        yield from delete_if_there(desk, recorded_management.record_of(desk))
        yield from honest(desk, images)

    patch.setattr(Desk, "configure", late)


BUGS = (
    Bug(
        "the names of the new images are never made durable",
        "lab.md, law truthful: it survives the crash models in force",
        cut(GROUP, "group-snapshot", Model.SYNCED),
        "truthful",
        no_folder_is_synced,
    ),
    Bug(
        "an image's header is written together with its tables",
        "create.py: at no time the header without its tables",
        cut(GROUP, "group-snapshot", Model.TORN, world=SMALL),
        "sound",
        header_written_with_the_tables,
    ),
    Bug(
        "nobody flushes the new images before the pivot",
        "lab.md, law all-or-nothing: after a crash, too",
        cut(GROUP, "group-snapshot", Model.SYNCED),
        "all-or-nothing",
        new_images_flushed_by_nobody,
    ),
    Bug(
        "a flush is acknowledged and never asked of the host",
        "host/api.py: durable after a flush",
        cut(GROUP, "group-snapshot", Model.SYNCED),
        "nothing-lost",
        flush_that_asks_nobody,
    ),
    Bug(
        "a forced write is acknowledged like any other",
        "hw/scsi-disk.c of 1.2, scsi_write_do_fua",
        cut(GROUP, "group-snapshot", Model.SYNCED),
        "nothing-lost",
        fua_never_flushed,
    ),
    Bug(
        "no barrier lies between the refcounts and the tables that rely on them",
        "qcow2: a cluster is counted before it is referred to",
        cut(GROUP, "group-snapshot", Model.SUBSET, world=SMALL),
        CORE,
        no_barrier_between_counts_and_tables,
    ),
    Bug(
        "the books are renamed before they are flushed",
        "desk.py: write, flush, rename, sync the folder",
        cut(GROUP, "group-snapshot", Model.SYNCED),
        CORE,  # what recovery trips over is management's own, and stops the run loudly
        books_renamed_before_they_are_flushed,
    ),
    Bug(
        "the folder of the books is never synced",
        "desk.py: write, flush, rename, sync the folder",
        cut(GROUP, "group-snapshot", Model.SYNCED),
        "recoverable",
        books_folder_never_synced,
    ),
    Bug(
        "the books are overwritten in place",
        "desk.py: all of it or nothing is seen",
        cut(GROUP, "group-snapshot", Model.SUBSET, world=SMALL),
        CORE,
        books_written_in_place,
    ),
    Bug(
        "a migration removes its source before the books name the target",
        "lab.md: a restart opens what the configuration names",
        cut(RECORDED, "migrate-one", Model.ISSUED, world=BUSY),
        "nothing-lost",
        sources_deleted_before_the_books_know,
    ),
    Bug(
        "the name of the record is never made durable",
        "record.py: durable, with its name, before anything else is touched",
        cut(RECORDED, "group-snapshot", Model.SYNCED, world=BUSY),
        "nothing-lost",
        record_s_name_not_durable,
    ),
    Bug(
        "the decision is written and not flushed",
        "record.py: decision durable, then the switch in memory",
        cut(RECORDED, "group-snapshot", Model.SYNCED, world=BUSY),
        "recoverable",
        decision_not_flushed,
    ),
    Bug(
        "the decision is durable before what it decides is",
        "record.py: nothing behind the decision can fail",
        cut(RECORDED, "migrate-one", Model.SYNCED),
        "content",
        decided_before_all_is_flushed,
    ),
    Bug(
        "the record goes before the books say what it says",
        "recorded_transaction/management.py, believe",
        cut(RECORDED, "group-snapshot", Model.ISSUED, world=BUSY),
        "nothing-lost",
        record_removed_before_it_is_believed,
    ),
    Bug(
        "a recovery removes the record before it has believed it",
        "lab.md, law recoverable: recovery survives a crash of its own",
        attrs.evolve(cut(RECORDED, "group-snapshot", Model.ISSUED, world=BUSY), again=(Model.ISSUED,)),
        "recoverable",
        recovery_removes_the_record_first,
    ),
)
