"""A new management process after a death, or an answer that stays away, with a hypervisor that lives."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from blockops.errors import BlockError
from blockops.management.careful import attempt
from blockops.management.contestant import Contestant, Inexpressible, Manager
from blockops.management.use_cases import USE_CASES, UseCase
from blockops.qmp.dispatch import Connection
from blockops.steps import run
from proposals.catalogue import contestants
from tests.management.scene import Scene, intact

BY_ID = {contestant.id: contestant for contestant in contestants()}
PAIRS = [
    pytest.param(contestant, use_case, id=f"{contestant.id}/{use_case.id}")
    for contestant in BY_ID.values()
    for use_case in USE_CASES.values()
    if not isinstance(contestant.program(use_case.id), Inexpressible)
]
CAREFUL = [pair for pair in PAIRS if pair.values[0].manager is Manager.CAREFUL]  # type: ignore[union-attr]

KEEPING = [pair for pair in CAREFUL if pair.values[1].id != "give-up"]  # type: ignore[union-attr]
"""Those that can go forward wherever they stand.  To give up a snapshot is to give up what is in it."""


def driven(scene: Scene, program: Iterator[Any], steps: int) -> int:
    """Take at most *steps* steps of *program*; return how many it took.

    A command that is being carried out then goes on without its sender.
    """
    taken = 0
    for step in program if steps else ():
        if step.waits_for is not None:
            step.waits_for.complete_next()
        taken += 1
        if taken >= steps and not scene.connection.server._busy:
            break
    return taken


def reconnected(scene: Scene) -> None:
    """The old connection ends, as it does when its process dies, and a new one takes its place."""
    old: Connection = scene.connection
    run(old.disconnect())
    scene.connection = old.server.connect("management")


def recover(scene: Scene, use_case: UseCase, steps: int | None = None) -> bool:
    """Let a new process recover, for *steps* steps only if so many are given; return whether it ended."""
    reconnected(scene)
    program = scene.contestant.recover(scene.desk(), use_case.wish(scene.wishes))
    if steps is None:
        run(attempt(program))
        return True
    try:
        return driven(scene, program, steps) < steps
    except BlockError:
        return True


def died_after(contestant: Contestant, use_case: UseCase, step: int) -> Scene | None:
    """Return the scene in which management has died after so many steps, None where it had ended before."""
    scene = Scene(contestant, use_case.device_counts[0])
    program = scene.program(use_case)
    taken = driven(scene, program, step)
    return scene if taken >= step else None


def died(contestant: Contestant, use_case: UseCase, every: int = 1) -> Iterator[tuple[int, Scene]]:
    """Yield a scene for each step after which management may have died."""
    for step in itertools.count(0, every):
        scene = died_after(contestant, use_case, step)
        if scene is None:
            return
        yield step, scene


def state(scene: Scene, use_case: UseCase) -> set[str]:
    """Return the states of the disks, but for those to be mirrored: their image is old and new alike."""
    pairs = zip(scene.tops(), scene.expectations(use_case), strict=True)
    plain = [(top, one) for top, one in pairs if one.mirrored_onto is None]
    return {"old" if top in one.old_tops else "new" if top in one.new_tops else "?" for top, one in plain}


@pytest.mark.parametrize(("contestant", "use_case"), CAREFUL)
def test_whenever_management_died_the_next_one_ends_on_all_old_or_all_new_images(
    contestant: Contestant, use_case: UseCase
) -> None:
    for _, scene in died(contestant, use_case):
        recover(scene, use_case)
        assert state(scene, use_case) in (set(), {"old"}, {"new"})
        assert scene.configured() == scene.tops()
        assert scene.live() == intact(scene.count)
        assert not scene.stands_still()


@pytest.mark.parametrize(("contestant", "use_case"), KEEPING)
def test_what_a_guest_wrote_before_the_recovery_is_there_after_it(
    contestant: Contestant, use_case: UseCase
) -> None:
    for _, scene in died(contestant, use_case):
        running = [device for device in scene.machine.devices.values() if not device.holds]
        for device in running:
            device.medium.write(100, b"written after the death")
        before = scene.live()
        recover(scene, use_case)
        assert scene.live() == before


@pytest.mark.parametrize(("contestant", "use_case"), PAIRS)
def test_recovering_twice_is_recovering_once(contestant: Contestant, use_case: UseCase) -> None:
    for _, scene in died(contestant, use_case):
        recover(scene, use_case)
        once = (scene.tops(), scene.configured(), scene.files())
        recover(scene, use_case)
        assert (scene.tops(), scene.configured(), scene.files()) == once


@pytest.mark.parametrize(("contestant", "use_case"), CAREFUL)
def test_a_recovery_that_dies_is_finished_by_the_next(contestant: Contestant, use_case: UseCase) -> None:
    for step, whole in died(contestant, use_case, every=5):
        recover(whole, use_case)
        wanted = (whole.tops(), whole.configured(), whole.stands_still())
        for steps in itertools.count(1, 2):
            scene = died_after(contestant, use_case, step)
            assert scene is not None
            ended = recover(scene, use_case, steps)
            recover(scene, use_case)
            assert (scene.tops(), scene.configured(), scene.stands_still()) == wanted
            if ended:
                break


@pytest.mark.parametrize(("contestant", "use_case"), PAIRS)
def test_without_notes_the_books_come_to_say_what_is_shown_and_no_file_goes(
    contestant: Contestant, use_case: UseCase
) -> None:
    for _, scene in died(contestant, use_case):
        if scene.disk.exists("/vm/management/notes.json"):
            scene.host.unlink("/vm/management/notes.json")
        before = scene.files()
        recover(scene, use_case)
        assert scene.configured() == scene.tops()
        assert scene.live() == intact(scene.count)
        assert scene.files() >= before or scene.contestant.entry.id == "transaction"


@pytest.mark.parametrize("name", ["drive-migrate.hardened", "naive-loop.as-posted", "stop-cont.as-posted"])
def test_one_lost_answer_does_not_stop_snapshots_that_are_taken_one_by_one(name: str) -> None:
    use_case, scene = USE_CASES["group-snapshot"], Scene(BY_ID[f"{name}.careful"])
    scene.trouble = lambda _, command: (
        "lost" if command == "blockdev-snapshot-sync" and command not in scene.commands else None
    )
    run(scene.program(use_case))
    assert scene.commands.count("blockdev-snapshot-sync") == 2
    assert scene.states(use_case) == ["new", "new"]
    assert scene.configured() == scene.tops()


@pytest.mark.parametrize("name", ["drive-migrate", "transaction", "freeze"])
def test_without_notes_no_mirror_stays_whose_migration_nobody_will_finish(name: str) -> None:
    use_case = USE_CASES["migrate-many"]
    for _, scene in died(BY_ID[f"{name}.hardened.careful"], use_case):
        if scene.disk.exists("/vm/management/notes.json"):
            scene.host.unlink("/vm/management/notes.json")
        recover(scene, use_case)
        assert not any(shown.mirrors for shown in scene.shown())
