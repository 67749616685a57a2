"""Defects that a treacherous host brings out: after the effect, with dropped pages, twice, on volumes."""

import contextlib
from collections.abc import Sequence

import pytest

import blockops.commands.action as action_module
from blockops.commands.action import Action
from blockops.commands.images import Images
from blockops.errors import BlockError, HostError, Leftover
from blockops.graph.formats import NewImage, create_image
from blockops.host.memory import MemoryDisk
from blockops.lab.world import VOLUMES, World
from blockops.management import careful
from blockops.management.desk import Desk
from blockops.qcow2.durable import DurableFile
from blockops.qcow2.refcounts import Refcounts
from blockops.steps import Phase, Step, Steps
from tests.quality.bugs_commands import ERRORS, reservation_kept
from tests.quality.bugs_core import GROUP
from tests.quality.planting import CORE, Bug, where


def nothing_written_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(DurableFile, "_write_again", lambda file: None)


def failed_flush_taken_for_done(patch: pytest.MonkeyPatch) -> None:
    def deaf(file: DurableFile) -> None:
        with contextlib.suppress(BlockError):
            file._file.flush()
        file.pending, file._flushed = False, True
        file._forget()

    patch.setattr(DurableFile, "flush", deaf)


def failed_creation_taken_for_none(patch: pytest.MonkeyPatch) -> None:
    def trusting(images: Images, new: NewImage) -> None:
        try:
            create_image(images.machine.host, new, durable=True)
        except HostError as error:
            if error.operation != "create":
                images.created.append(new.filename)
            raise
        images.created.append(new.filename)

    patch.setattr(Images, "_create", trusting)


def roll_back_that_stops_at_its_first_error(patch: pytest.MonkeyPatch) -> None:
    def discouraged(actions: Sequence[Action]) -> Steps[tuple[Leftover, ...]]:
        for action in reversed(actions):
            leftovers = yield from action.abort()
            if leftovers:
                return leftovers
        return ()

    patch.setattr(action_module, "abort_all", discouraged)


def roll_back_that_says_nothing_of_what_it_leaves(patch: pytest.MonkeyPatch) -> None:
    def silent(images: Images) -> Steps[tuple[Leftover, ...]]:
        while images.created:
            images._unlinked(images.created.pop())
            yield Step(Phase.UNLINK, images.device)
        return ()

    patch.setattr(Images, "remove", silent)


def volume_unlinked(patch: pytest.MonkeyPatch) -> None:
    def removed(desk: Desk, path: str) -> Steps[None]:
        desk.host.unlink(path)
        yield Step(Phase.UNLINK, path)

    patch.setattr(MemoryDisk, "_refuse_volume", lambda disk, operation, path: None)
    patch.setattr(careful, "delete_if_there", removed)


def clusters_from_the_end_of_the_file(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Refcounts, "_find_the_end", lambda refcounts: None)


ON_VOLUMES = World(devices=2, volumes=VOLUMES["switch-many"])

BUGS = (
    Bug(
        "after a failed command the device is reserved for ever",
        "lab.md, law progress",
        where("transaction.hardened.careful", "group-snapshot", *ERRORS),
        "progress",
        reservation_kept,
    ),
    Bug(
        "what a failed flush has dropped is not written again",
        "lab.md: the core must re-dirty what it cannot know to be on disk",
        where(*GROUP, "dropped"),
        CORE,
        nothing_written_again,
    ),
    Bug(
        "the result of a flush is ignored",
        "lab.md, planted bugs",
        where(*GROUP, "dropped"),
        CORE,
        failed_flush_taken_for_done,
    ),
    Bug(
        "a creation that failed after its effect is taken for none",
        "lab.md: each fault before the effect or after it",
        where(*GROUP, "eio"),
        "tidy",
        failed_creation_taken_for_none,
    ),
    Bug(
        "a roll-back stops at its first error",
        "lab.md: the roll-back must be attacked too",
        where(*GROUP, "pair"),
        "released",
        roll_back_that_stops_at_its_first_error,
    ),
    Bug(
        "a roll-back says nothing of what it could not remove",
        "lab.md, law tidy: excused if the error names it",
        where(*GROUP, "pair"),
        "tidy",
        roll_back_that_says_nothing_of_what_it_leaves,
    ),
    Bug(
        "management removes a volume",
        "lab.md: volumes can be neither unlinked nor grown",
        where("drive-migrate.hardened.careful", "switch-many", *ERRORS, world=ON_VOLUMES),
        "tidy",
        volume_unlinked,
    ),
    Bug(
        "new clusters come from behind the end of the file, and so of the volume",
        "lab.md: volumes can be neither unlinked nor grown",
        where("drive-migrate.hardened.careful", "switch-many", "no-fault", world=ON_VOLUMES),
        CORE,
        clusters_from_the_end_of_the_file,
    ),
)
