"""Defects in what is made of a device that is unfit, of a cause, of an answer that does not come."""

import errno
import os

import attrs
import pytest

import blockops.management.careful as careful_module
import blockops.management.desk as desk_module
import blockops.management.recovery as recovery_module
import proposals.recorded_transaction.management as recorded_management
from blockops.commands.images import Images
from blockops.commands.pivot import Pivot
from blockops.device import Device
from blockops.errors import CommandError, DeviceHasNoMedium, DeviceInUse, HostError, Leftover
from blockops.graph.node import Node
from blockops.host.api import HostFolder
from blockops.jobs.mirror import MirrorJob
from blockops.lab.power.models import Model
from blockops.lab.world import Workload, World
from blockops.management.careful import Live
from blockops.management.desk import Answer, Desk, Lost
from blockops.management.programs import delete_if_there
from blockops.management.wish import Wish
from blockops.steps import Phase, Step, Steps
from proposals.group_snapshot.arguments import GroupSnapshotSync
from proposals.group_snapshot.commands import GroupSnapshotCommands
from proposals.recorded_transaction.record import Outcome, Record, read_record
from tests.quality.bugs_channel import transaction_left_open
from tests.quality.bugs_commands import existing_file_wiped
from tests.quality.bugs_core import pointed_to_before_it_is_written
from tests.quality.bugs_membership import no_way_back_for_the_others
from tests.quality.planting import Bug, Where, where


def the_cause_is_always_the_same(patch: pytest.MonkeyPatch) -> None:
    def dull(error: HostError) -> str:
        return f"{error.path}: {error.operation}: {os.strerror(errno.EIO)}"

    patch.setattr(HostError, "message", property(dull))


def the_wrong_drive_is_empty(patch: pytest.MonkeyPatch) -> None:
    def medium(device: Device) -> Node:
        if device.top is None:
            raise DeviceHasNoMedium("d0")
        return device.top

    patch.setattr(Device, "medium", property(medium))


def a_busy_device_is_not_named(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(DeviceInUse, "message", property(lambda error: "A device is in use"))


def an_unlink_refused_by_a_read_only_host_is_taken_for_done(patch: pytest.MonkeyPatch) -> None:
    def trusting(images: Images, filename: str) -> list[Leftover]:
        try:
            images.machine.host.unlink(filename)
        except HostError as error:
            if error.code not in (errno.ENOENT, errno.EROFS):
                return [Leftover(filename, images.device, error)]
        return []

    patch.setattr(Images, "_unlinked", trusting)


def no_answer_taken_for_yes(patch: pytest.MonkeyPatch) -> None:
    honest = desk_module.expected

    def hopeful(answer: Answer, command: str) -> object:
        return None if isinstance(answer, Lost) else honest(answer, command)

    patch.setattr(desk_module, "expected", hopeful)


def books_read_instead_of_looking(patch: pytest.MonkeyPatch) -> None:
    def by_heart(desk: Desk) -> Steps[Live]:
        images = desk.configuration()
        tops = {device: image.path for device, image in images.items()}
        yield Step(Phase.CHECK, "books")
        return Live(tops, frozenset(tops.values()), images)

    patch.setattr(careful_module, "look", by_heart)


def record_not_read_after_a_crash(patch: pytest.MonkeyPatch) -> None:
    def blind(host: HostFolder, path: str) -> None:
        return None

    patch.setattr(recorded_management, "read_record", blind)


def a_cancelled_mirror_pivots(patch: pytest.MonkeyPatch) -> None:
    honest = MirrorJob._show

    def always(job: MirrorJob, node: object) -> None:
        honest(job, job.node.target)

    patch.setattr(MirrorJob, "_show", always)


def a_cancelled_mirror_stays(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(MirrorJob, "_drop", lambda job: None)


def record_of_an_intent_believed(patch: pytest.MonkeyPatch) -> None:
    def rash(host: HostFolder, path: str) -> Record | None:
        record = read_record(host, path)
        return None if record is None else attrs.evolve(record, outcome=Outcome.DONE)

    patch.setattr(recorded_management, "read_record", rash)


def an_empty_drive_is_passed_over(patch: pytest.MonkeyPatch) -> None:
    honest = GroupSnapshotCommands._hardened

    def lenient(commands: GroupSnapshotCommands, wanted: GroupSnapshotSync) -> Steps[None]:
        there = commands.machine.graph.tops
        full = tuple(one for one in wanted.devlist if there.get(one.device) is not None)
        yield from honest(commands, attrs.evolve(wanted, devlist=full))

    patch.setattr(GroupSnapshotCommands, "_hardened", lenient)


def a_read_only_device_is_refused_at_its_pivot(patch: pytest.MonkeyPatch) -> None:
    honest = Pivot.commit

    def late(pivot: Pivot) -> Steps[None]:
        if pivot.machine.device(pivot.device).read_only:
            raise CommandError
        yield from honest(pivot)

    no_way_back_for_the_others(patch)
    patch.setattr(Pivot, "commit", late)


def what_the_books_do_not_name_is_deleted(patch: pytest.MonkeyPatch) -> None:
    honest = recovery_module._ended

    def tidying(desk: Desk, wish: Wish, means: recovery_module.Means) -> Steps[None]:
        named = [image.path for image in desk.configuration().values()]
        for disk in wish.disks:
            if disk.overlay not in named:
                yield from delete_if_there(desk, disk.overlay)
        yield from honest(desk, wish, means)

    patch.setattr(recovery_module, "_ended", tidying)


GROUP = ("group-snapshot.hardened.naive", "group-snapshot")
CAREFUL = "group-snapshot.hardened.careful"
RECORDED = "recorded-transaction.hardened.careful"
MIGRATING = where("merged-transaction.hardened.careful", "migrate-one", "cancelled")
BUSY = World(devices=1, workload=Workload(before=1, after=4, flush_every=1, in_flight=1), schedule=(6,))


def errno_lost(group: str) -> Bug:
    """Return the bug that every error names one cause, as it shows with this errno."""
    return Bug(
        f"every error of the host is called an input/output error ({group})",
        "lab.md, law names-the-culprit: device, file and cause",
        where(*GROUP, group),
        "names-the-culprit",
        the_cause_is_always_the_same,
    )


BUGS = (
    *(errno_lost(group) for group in ("edquot", "eacces", "enoent", "emfile")),
    Bug(
        "a removal that a read-only host refuses is taken for done",
        "lab.md, law tidy: excused if the error names it",
        where(*GROUP, "erofs"),
        "tidy",
        an_unlink_refused_by_a_read_only_host_is_taken_for_done,
    ),
    Bug(
        "the error about an empty drive names another one",
        "lab.md, law names-the-culprit: innocents not",
        where(*GROUP, "no-medium"),
        "names-the-culprit",
        the_wrong_drive_is_empty,
    ),
    Bug(
        "an empty drive is passed over, and the others move on",
        "lab.md, law all-or-nothing: a device without an image is neither",
        where(*GROUP, "no-medium"),
        "all-or-nothing",
        an_empty_drive_is_passed_over,
    ),
    Bug(
        "the error about a busy device does not name it",
        "semantics.md: DeviceInUse{device}",
        where(*GROUP, "busy"),
        "names-the-culprit",
        a_busy_device_is_not_named,
    ),
    Bug(
        "a read-only device is refused at its own pivot, behind that of another",
        "lab.md, planted bugs: commit before the last prepare",
        where(*GROUP, "read-only"),
        "all-or-nothing",
        a_read_only_device_is_refused_at_its_pivot,
    ),
    Bug(
        "no answer is taken for success",
        "lab.md: no reply is unknown",
        where(*GROUP, "command-lost"),
        "sound",
        no_answer_taken_for_yes,
    ),
    Bug(
        "after a lost answer the books are asked instead of the hypervisor",
        "careful.py: without an answer nothing is known, so nothing is deleted",
        where(CAREFUL, "retry", "reply-lost"),
        "repeatable",
        books_read_instead_of_looking,
    ),
    Bug(
        "management removes what a late command is still working on",
        "careful.py: without an answer nothing is known, so nothing is deleted",
        where(CAREFUL, "retry", "late"),
        "same-after-reopen",
        books_read_instead_of_looking,
    ),
    Bug(
        "a manager without notes deletes what its books do not name",
        "recovery.py: no file is deleted, nothing says whose it is",
        where(CAREFUL, "group-snapshot", "manager-forgets"),
        "recoverable",
        what_the_books_do_not_name_is_deleted,
    ),
    Bug(
        "a second manager's request wipes what the first one's has made",
        "semantics.md, section 1: a file at the path is truncated",
        where(*GROUP, "rival"),
        "truthful",
        existing_file_wiped,
    ),
    Bug(
        "an intent is taken for a decision",
        "record.py: images are live if and only if it says done",
        where(RECORDED, "group-snapshot", "kill"),
        "all-or-nothing",
        record_of_an_intent_believed,
    ),
    Bug(
        "the record is not read after a crash",
        "record.py: images are live if and only if it says done",
        Where(RECORDED, "group-snapshot", models=(Model.ISSUED,), world=BUSY),
        "recoverable",
        record_not_read_after_a_crash,
    ),
    Bug(
        "a cancelled mirror switches to its target",
        "QEMU's QAPI schema: block-job-cancel",
        MIGRATING,
        "nothing-lost",
        a_cancelled_mirror_pivots,
    ),
    Bug(
        "a cancelled mirror stays on its device",
        "lab.md, law released: no job dangles",
        MIGRATING,
        "released",
        a_cancelled_mirror_stays,
    ),
    Bug(
        "a cluster whose write tore is referred to",
        "image.py: counted, filled, and only then referred to",
        where(*GROUP, "torn"),
        "content",
        pointed_to_before_it_is_written,
    ),
    Bug(
        "a transaction stays open when its manager has died",
        "semantics.md, section 3: disconnect aborts",
        where("transaction.hardened.naive", "group-snapshot", "manager-dies"),
        "released",
        transaction_left_open,
    ),
)
