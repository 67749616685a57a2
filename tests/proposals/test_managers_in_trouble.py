"""Every contestant's managers where one command, the hypervisor or they themselves fail."""

import contextlib
import errno
import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from blockops.commands.profile import Profile
from blockops.errors import BlockError, ImageError
from blockops.host.memory import MemoryFolder
from blockops.management.contestant import Contestant, Inexpressible, Manager
from blockops.management.desk import Desk, GaveUp, NoAnswer, Refused
from blockops.management.use_cases import USE_CASES, UseCase
from blockops.management.wish import ImageRef
from blockops.steps import Steps, run
from proposals.catalogue import contestants
from tests.management.scene import Scene, content, intact

CONTESTANTS = {contestant.id: contestant for contestant in contestants()}
ALL = [
    (contestant, use_case)
    for contestant in CONTESTANTS.values()
    for use_case in USE_CASES.values()
    if not isinstance(contestant.program(use_case.id), Inexpressible)
]
PAIRS = [pytest.param(*pair, id=f"{pair[0].id}/{pair[1].id}") for pair in ALL]
CAREFUL = [param for param, pair in zip(PAIRS, ALL, strict=True) if pair[0].manager is Manager.CAREFUL]
NO_WAY_BACK = ("naive-loop", "stop-cont", "group-snapshot-v1")
NO_WAY_BACK_FROM = {("merged-transaction", "mixed")}
"""Where a later command can fail when earlier snapshots are there, and no command takes a snapshot back."""
UNRECORDED = ("drive-migrate", "transaction", "merged-transaction")
"""Designs in which the guest goes on on the new image before management can write that down."""

# --------------------------------------------------------------------------- one command is not obeyed

MUST_WORK = ("query-block", "blockdev-unfreeze", "blockdev-abort-transaction", "cont")


def command_count(contestant: Contestant, use_case: UseCase) -> int:
    scene = Scene(contestant, use_case.device_counts[0])
    run(scene.program(use_case))
    return len(scene.commands)


def troubled(
    contestant: Contestant, use_case: UseCase, kind: str
) -> Iterator[tuple[Scene, BlockError | None]]:
    """Yield a scene for each command that meets this trouble, and the program's error."""
    for victim in range(command_count(contestant, use_case)):
        scene = Scene(contestant, use_case.device_counts[0])
        scene.trouble = lambda number, command, victim=victim: (  # type: ignore[misc]
            kind if number == victim and command not in MUST_WORK else None
        )
        try:
            run(scene.program(use_case))
        except BlockError as error:
            yield scene, error
        else:
            yield scene, None


@pytest.mark.parametrize(("contestant", "use_case"), CAREFUL)
def test_after_a_refused_command_a_careful_manager_leaves_no_half(
    contestant: Contestant, use_case: UseCase
) -> None:
    for scene, error in troubled(contestant, use_case, "refused"):
        expected = scene.expectations(use_case)
        new = all(top in one.new_tops for top, one in zip(scene.tops(), expected, strict=True))
        old = all(top in one.old_tops for top, one in zip(scene.tops(), expected, strict=True))
        assert old or new or contestant.entry.id in NO_WAY_BACK or use_case.id == "give-up"
        assert new or error is not None


@pytest.mark.parametrize(("contestant", "use_case"), CAREFUL)
@pytest.mark.parametrize("kind", ["refused", "lost"])
def test_whatever_failed_a_careful_manager_leaves_nothing_frozen_or_hidden(
    contestant: Contestant, use_case: UseCase, kind: str
) -> None:
    for scene, _ in troubled(contestant, use_case, kind):
        assert not scene.stands_still()
        assert scene.configured() == scene.tops()
        images = scene.desk().configuration()
        assert scene.live() == intact(scene.count)
        assert [scene.read(images[wish.device]) for wish in scene.wishes] == intact(scene.count)


@pytest.mark.parametrize(("contestant", "use_case"), CAREFUL)
def test_after_a_refused_command_a_careful_manager_leaves_no_file(
    contestant: Contestant, use_case: UseCase
) -> None:
    for scene, error in troubled(contestant, use_case, "refused"):
        if error is None or contestant.entry.id in NO_WAY_BACK:
            continue
        if (contestant.entry.id, use_case.id) in NO_WAY_BACK_FROM:
            continue
        remaining = {f.path for one in scene.expectations(use_case) for f in one.may_remain_after_error}
        if use_case.id == "give-up":
            remaining = {"/vm/s0.qcow2"}
        assert scene.files() - remaining == {wish.old.path for wish in scene.wishes}


@pytest.mark.parametrize(("contestant", "use_case"), CAREFUL)
def test_a_careful_manager_without_answers_deletes_nothing(contestant: Contestant, use_case: UseCase) -> None:
    for scene, error in troubled(contestant, use_case, "silence"):
        if not scene.silent:
            continue
        assert isinstance(error, NoAnswer)
        assert {wish.old.path for wish in scene.wishes} <= scene.files()
        assert scene.live() == intact(scene.count)


# --------------------------------------------------------------------------------- somebody dies


@pytest.mark.parametrize(("contestant", "use_case"), PAIRS)
def test_a_dead_manager_does_nothing_more(contestant: Contestant, use_case: UseCase) -> None:
    for step in itertools.count(1):
        scene = Scene(contestant, use_case.device_counts[0])
        program = scene.program(use_case)
        taken = sum(1 for _ in itertools.islice(drive(program), step))
        sent, before = len(scene.commands), scene.disk.digest()
        program.close()
        assert (len(scene.commands), scene.disk.digest()) == (sent, before)
        if taken < step:
            break


def drive(program: Iterator[Any]) -> Iterator[None]:
    """Yield after each step of *program*; what it waits for is completed."""
    for step in program:
        if step.waits_for is not None:
            step.waits_for.complete_next()
        yield


def recovered(scene: Scene, desk: Desk, use_case: UseCase) -> dict[str, ImageRef]:
    """Let a new manager recover, and return what the machine is started on."""
    run(scene.contestant.recover(desk, use_case.wish(scene.wishes)))
    return desk.configuration()


@pytest.mark.parametrize(("contestant", "use_case"), PAIRS)
def test_after_a_crash_at_any_step_a_restart_finds_every_disk_whole(
    contestant: Contestant, use_case: UseCase
) -> None:
    for step in itertools.count(1):
        scene = Scene(contestant, use_case.device_counts[0])
        program = scene.program(use_case)
        taken = sum(1 for _ in itertools.islice(drive(program), step))
        scene.host.close_all()
        scene.silent = True
        desk = scene.desk()
        images = recovered(scene, desk, use_case)
        assert [scene.read(images[wish.device]) for wish in scene.wishes] == intact(scene.count)
        assert recovered(scene, desk, use_case) == images
        if taken < step:
            break


@pytest.mark.parametrize(("contestant", "use_case"), CAREFUL)
def test_after_a_crash_a_careful_restart_finds_what_the_guest_flushed(
    contestant: Contestant, use_case: UseCase
) -> None:
    if (contestant.entry.id, use_case.id) == ("drive-migrate", "give-up"):
        return  # it gives up what the guest wrote: see the test of the roll-back below
    for step in itertools.count(1):
        scene = Scene(contestant, use_case.device_counts[0])
        written = dict.fromkeys(scene.machine.devices, 0)
        program = drive(scene.program(use_case))
        taken = sum(write_everywhere(scene, written) for _ in itertools.islice(program, step))
        scene.host.close_all()
        scene.silent = True
        if switched_unrecorded(scene) and contestant.entry.id in UNRECORDED:
            continue
        desk = scene.desk()
        images = recovered(scene, desk, use_case)
        found = {name: int.from_bytes(scene.read(images[name])[:8], "big") for name in written}
        assert not written[scene.wishes[0].device] or found == written
        if taken < step:
            break


def switched_unrecorded(scene: Scene) -> bool:
    """Whether a disk shows its target and the books do not say so yet, because the answer came just now.

    No note can close this gap: before the command has its effect only the source is complete, and as soon
    as the guest writes after it only the target is.
    """
    pairs = zip(scene.tops(), scene.configured(), scene.wishes, strict=True)
    return any(top == wish.target != recorded for top, recorded, wish in pairs)


def write_everywhere(scene: Scene, written: dict[str, int]) -> int:
    """Let the guest write the next number to each disk that is not held back, and flush it."""
    for name, device in scene.machine.devices.items():
        if not device.holds and device.top is not None:
            written[name] += 1
            device.write(0, written[name].to_bytes(8, "big"))
            device.flush()
    return 1


# ------------------------------------------------------------------------------------- single findings


def of(name: str) -> Contestant:
    return CONTESTANTS[name]


def occupy(scene: Scene, path: str) -> None:
    file = MemoryFolder(scene.disk).create(path, replace=False)
    file.write(0, b"somebody else's")


@pytest.mark.parametrize(("contestant", "use_case"), CAREFUL)
def test_a_careful_manager_never_touches_somebody_elses_file(
    contestant: Contestant, use_case: UseCase
) -> None:
    for path in ("/vm/s0.qcow2", "/vm/dst/s0.qcow2", "/vm/dst/d0.qcow2"):
        scene = Scene(contestant, use_case.device_counts[0])
        occupy(scene, path)
        before = scene.disk.content("read", path).digest()
        with contextlib.suppress(BlockError):
            run(scene.program(use_case))
        assert scene.disk.content("read", path).digest() == before


def test_a_naive_manager_lets_a_group_snapshot_as_posted_wipe_a_file() -> None:
    scene = Scene(of("group-snapshot.as-posted.naive"))
    occupy(scene, "/vm/s1.qcow2")
    run(scene.program(USE_CASES["group-snapshot"]))
    assert scene.tops() == ["/vm/s0.qcow2", "/vm/s1.qcow2"]


def failing_overlay(name: str) -> Scene:
    """Return a scene whose second snapshot cannot create its overlay."""
    scene = Scene(of(name))
    scene.host.fails = {("create", "/vm/s1.qcow2"): errno.ENOSPC}
    return scene


def test_a_naive_manager_leaves_devices_frozen() -> None:
    scene = failing_overlay("freeze.as-posted.naive")
    with pytest.raises(Refused):
        run(scene.program(USE_CASES["group-snapshot"]))
    assert [device.frozen for device in scene.machine.devices.values()] == [True, True]


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("name", ["group-snapshot", "drive-migrate", "transaction", "freeze"])
def test_a_careful_manager_ends_a_failed_group_as_before(name: str, profile: Profile) -> None:
    scene = failing_overlay(f"{name}.{profile.value}.careful")
    with pytest.raises(GaveUp, match="as before"):
        run(scene.program(USE_CASES["group-snapshot"]))
    assert scene.tops() == scene.configured() == ["/vm/d0.qcow2", "/vm/d1.qcow2"]
    assert scene.files() == {"/vm/d0.qcow2", "/vm/d1.qcow2"}


@pytest.mark.parametrize("name", ["naive-loop", "stop-cont"])
def test_without_a_way_back_a_careful_manager_says_which_disks_have_moved(name: str) -> None:
    scene = failing_overlay(f"{name}.as-posted.careful")
    with pytest.raises(GaveUp, match="not as before: d0 "):
        run(scene.program(USE_CASES["group-snapshot"]))
    assert scene.tops() == scene.configured() == ["/vm/s0.qcow2", "/vm/d1.qcow2"]
    assert scene.files() == {"/vm/d0.qcow2", "/vm/d1.qcow2", "/vm/s0.qcow2"}
    assert not scene.stands_still()


def test_a_naive_loop_forgets_a_disk_that_has_moved() -> None:
    scene = failing_overlay("naive-loop.as-posted.naive")
    with pytest.raises(Refused):
        run(scene.program(USE_CASES["group-snapshot"]))
    assert scene.tops() == ["/vm/s0.qcow2", "/vm/d1.qcow2"]
    assert scene.configured() == ["/vm/d0.qcow2", "/vm/d1.qcow2"]


def test_a_roll_back_under_a_running_guest_loses_what_it_wrote() -> None:
    scene = failing_overlay("drive-migrate.hardened.careful")
    with pytest.raises(GaveUp):
        write_when_moved(scene)
    assert scene.live() == intact(2)


def write_when_moved(scene: Scene) -> None:
    for _ in drive(scene.program(USE_CASES["group-snapshot"])):
        if scene.tops()[0] == "/vm/s0.qcow2" and not scene.stands_still():
            scene.machine.devices["d0"].write(0, b"acknowledged")


def test_a_roll_back_of_a_frozen_guest_loses_nothing() -> None:
    scene = failing_overlay("freeze.hardened.careful")
    frozen = [
        scene.machine.devices["d0"].frozen
        for _ in drive(without_its_error(scene))
        if scene.tops()[0] == "/vm/s0.qcow2"
    ]
    assert frozen
    assert all(frozen)


def without_its_error(scene: Scene) -> Steps[None]:
    with contextlib.suppress(GaveUp):
        yield from scene.program(USE_CASES["group-snapshot"])


@pytest.mark.parametrize("contestant", CONTESTANTS.values(), ids=CONTESTANTS)
def test_a_retry_after_a_refused_first_command_succeeds_or_says_why_not(contestant: Contestant) -> None:
    first = 1 if contestant.manager is Manager.CAREFUL else 0  # it looks before it begins
    scene = Scene(contestant, trouble=lambda number, _: "refused" if number == first else None)
    run(scene.program(USE_CASES["retry"]))
    assert scene.tops() == scene.configured() == ["/vm/s0.qcow2", "/vm/s1.qcow2"]
    assert not scene.stands_still()


def test_a_careful_retry_after_a_lost_answer_sees_that_it_had_succeeded() -> None:
    scene = Scene(
        of("group-snapshot.as-posted.careful"), trouble=lambda number, _: "lost" if number == 1 else None
    )
    run(scene.program(USE_CASES["retry"]))
    assert scene.commands == ["query-block", "blkdev-group-snapshot-sync", "query-block"]
    assert scene.configured() == ["/vm/s0.qcow2", "/vm/s1.qcow2"]


def test_a_naive_retry_after_a_lost_answer_puts_an_overlay_over_itself() -> None:
    scene = Scene(
        of("group-snapshot.as-posted.naive"), trouble=lambda number, _: "lost" if number == 0 else None
    )
    run(scene.program(USE_CASES["retry"]))
    assert scene.live() == intact(2)
    with pytest.raises(ImageError, match="loop"):
        scene.read(scene.desk().configuration()["d0"])


def test_an_error_names_the_disk_that_could_not_be_brought_back() -> None:
    scene = Scene(
        of("drive-migrate.hardened.careful"),
        trouble=lambda _, command: "refused" if command == "drive-reopen" else None,
    )
    with pytest.raises(GaveUp, match="d0"):
        run(scene.program(USE_CASES["give-up"]))
    assert scene.configured() == scene.tops() == ["/vm/s0.qcow2", "/vm/d1.qcow2"]
    assert scene.live() == intact(2)


def test_a_failed_copy_leaves_all_disks_on_the_source() -> None:
    for name in ("drive-migrate", "transaction", "freeze"):
        scene = Scene(of(f"{name}.hardened.careful"))
        desk = scene.desk()
        assert isinstance(desk.host, type(scene.host))
        desk.host.fails = {("create", "/vm/dst/d1.qcow2"): errno.ENOSPC}
        with pytest.raises(GaveUp, match="on the source"):
            run(scene.program(USE_CASES["migrate-many"], desk))
        assert scene.tops() == scene.configured() == ["/vm/s0.qcow2", "/vm/s1.qcow2"]
        assert not any(path.startswith("/vm/dst") for path in scene.files())
        assert scene.live() == intact(2)
        assert scene.read(ImageRef("/vm/s0.qcow2", "qcow2")) == content(0)


def test_a_mirrors_target_is_kept_where_the_mirror_could_not_be_dropped() -> None:
    orders: list[str] = []

    def trouble(number: int, command: str) -> str | None:
        orders.append(command)
        second_mirror = command == "drive-mirror" and orders.count(command) == 2
        return "refused" if second_mirror or command == "drive-reopen" else None

    scene = Scene(of("freeze.hardened.careful"), trouble=trouble)
    with pytest.raises(GaveUp, match="not as before: d0, d1"):
        run(scene.program(USE_CASES["migrate-many"]))
    assert {"/vm/dst/s0.qcow2", "/vm/dst/s1.qcow2"} <= scene.files()
    assert scene.configured() == scene.tops() == ["/vm/s0.qcow2", "/vm/s1.qcow2"]
    assert not scene.stands_still()


def test_a_careful_retry_removes_what_an_unknown_first_attempt_left() -> None:
    scene = failing_overlay("group-snapshot.as-posted.careful")

    def trouble(number: int, command: str) -> str | None:
        if number == 3:
            scene.host.fails = {}
        return "lost" if number in (1, 2) else None

    scene.trouble = trouble
    run(scene.program(USE_CASES["retry"]))
    group, query = "blkdev-group-snapshot-sync", "query-block"
    before, first, *between, second = scene.commands
    assert (before, first, set(between), second) == (query, group, {query}, group)
    assert scene.tops() == scene.configured() == ["/vm/s0.qcow2", "/vm/s1.qcow2"]
