"""Every contestant's managers without faults, and whether what they are said to be unable to do is."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from blockops.commands.profile import Profile
from blockops.graph.formats import NewImage, Opening, backing_of, create_image, open_node
from blockops.graph.graph import Graph
from blockops.graph.node import ImageNode
from blockops.host.memory import MemoryFolder
from blockops.management.contestant import Contestant, Inexpressible, Manager
from blockops.management.use_cases import USE_CASES, OwedFile, UseCase
from blockops.steps import run
from proposals.catalogue import ENTRIES, contestants
from tests.management.scene import CLUSTER, SIZE, Scene, intact

CONTESTANTS = {contestant.id: contestant for contestant in contestants()}
PAIRS = [
    pytest.param(contestant, use_case, id=f"{contestant.id}/{use_case.id}")
    for contestant in CONTESTANTS.values()
    for use_case in USE_CASES.values()
    if not isinstance(contestant.program(use_case.id), Inexpressible)
]
BASELINES = ("naive-loop", "stop-cont", "group-snapshot-v1")


def test_the_contestants_have_the_ids_of_the_lab() -> None:
    pages = ("group-snapshot", "drive-migrate", "transaction", "freeze")
    of_page = [f"{p}.{profile.value}.{m.value}" for p in pages for profile in Profile for m in Manager]
    baselines = [f"{name}.as-posted.{manager.value}" for name in BASELINES for manager in Manager]
    ours = [f"recorded-transaction.hardened.{manager.value}" for manager in Manager]
    merged = [f"merged-transaction.{profile.value}.{m.value}" for profile in Profile for m in Manager]
    assert list(CONTESTANTS) == of_page + ours + merged + baselines


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.id)
@pytest.mark.parametrize("manager", Manager)
def test_every_entry_says_how_or_why_not_for_every_use_case(entry: Any, manager: Manager) -> None:
    assert set(entry.programs[manager]) == set(USE_CASES)
    assert set(entry.recover) == set(Manager)


# --------------------------------------------------------------------------------------- without faults


def scenes(contestant: Contestant, use_case: UseCase) -> Iterator[Scene]:
    return (Scene(contestant, count) for count in use_case.device_counts)


@pytest.mark.parametrize(("contestant", "use_case"), PAIRS)
def test_without_a_fault_a_program_reaches_the_new_state(contestant: Contestant, use_case: UseCase) -> None:
    for scene in scenes(contestant, use_case):
        run(scene.program(use_case))
        reached = {"old", "new"} if use_case.id == "give-up" else {"new"}  # as before is both there
        assert set(scene.states(use_case)) <= reached
        assert use_case.id != "give-up" or scene.tops() == [wish.old.path for wish in scene.wishes]
        assert scene.configured() == scene.tops()
        assert not scene.stands_still()


@pytest.mark.parametrize(("contestant", "use_case"), PAIRS)
def test_without_a_fault_the_files_are_those_owed(contestant: Contestant, use_case: UseCase) -> None:
    for scene in scenes(contestant, use_case):
        before = scene.files()
        run(scene.program(use_case))
        expected = scene.expectations(use_case)
        removed = {path for one in expected for path in one.removed}
        owed = {file.path: file for one in expected for file in one.owed}
        tops = {top for top, one in zip(scene.tops(), expected, strict=True) if one.mirrored_onto}
        assert scene.files() == (before - removed) | set(owed) | tops  # beside a mirror
        for file in owed.values():
            assert_as_owed(scene, file)


def assert_as_owed(scene: Scene, file: OwedFile) -> None:
    how = Opening(writable=False, backing=False, lock=False)
    node = open_node(Graph(), MemoryFolder(scene.disk), file.path, None, how)
    backing = None if file.backing is None else (file.backing, file.backing_format)
    assert (node.format, node.size) == (file.format, SIZE)
    assert file.layered_freely or backing_of(node) == backing


@pytest.mark.parametrize(("contestant", "use_case"), PAIRS)
def test_without_a_fault_nothing_is_lost(contestant: Contestant, use_case: UseCase) -> None:
    for scene in scenes(contestant, use_case):
        run(scene.program(use_case))
        late = b"late" * 128
        for wish in scene.wishes:
            scene.machine.devices[wish.device].write(8192, late)
            scene.machine.devices[wish.device].flush()
        assert scene.live() == [with_late(data, late) for data in intact(scene.count)]
        images = scene.desk().configuration()
        restarted = [scene.read(images[wish.device]) for wish in scene.wishes]
        assert restarted == scene.live()


def with_late(data: bytes, late: bytes) -> bytes:
    return data[:8192] + late + data[8192 + len(late) :]


# ------------------------------------------------------------------------------ what cannot be expressed

UNABLE = [
    pytest.param(entry, profile, id=f"{entry.id}.{profile.value}")
    for entry in ENTRIES
    for profile in entry.profiles
    if isinstance(entry.programs[Manager.NAIVE]["give-up"], Inexpressible)
]
PATHS = ("/vm/d0.qcow2", "/vm/s0.qcow2", "/vm/dst/s0.qcow2")


def sequences(scene: Scene) -> Iterator[list[dict[str, Any]]]:
    """Yield all sequences of up to three of the contestant's commands on d0 and the files of a wish.

    With the page's signatures: the optional argument `mode` came later and is nobody's.
    """
    messages = []
    for command, path in itertools.product(scene.connection.server.proposal.commands, PATHS):
        entry = {"device": "d0", "snapshot-file": path}
        arguments = {"blkdev-group-snapshot-sync": {"devlist": [entry]}, "blockdev-snapshot-sync": entry}
        if command in arguments:
            messages.append({"execute": command, "arguments": arguments[command]})
    for length in (1, 2, 3):
        yield from (list(some) for some in itertools.product(messages, repeat=length))


def outcomes(entry: Any, profile: Profile, begin: Callable[[Scene], None]) -> Iterator[Scene]:
    """Yield a scene for each sequence, carried out after *begin*, where d0 still shows something."""
    contestant = Contestant(entry, profile, Manager.NAIVE)
    for messages in sequences(Scene(contestant, 1)):
        scene = Scene(contestant, 1)
        begin(scene)
        for message in messages:
            run(scene.connection.execute(message))
        if scene.tops() != [None]:
            yield scene


def prepare(scene: Scene) -> None:
    """Make the overlay as management does for a switch, with a mark to know it by."""
    folder, wish = MemoryFolder(scene.disk), scene.wishes[0]
    new = NewImage(wish.overlay, "qcow2", SIZE, wish.old.path, "qcow2", CLUSTER)
    create_image(folder, new, durable=True)
    node = open_node(Graph(), folder, wish.overlay, "qcow2", Opening(lock=False))
    node.write(16384, b"prepared")
    node.close()


def snapshot(scene: Scene) -> None:
    arguments = {"device": "d0", "snapshot-file": "/vm/s0.qcow2"}
    run(scene.connection.execute({"execute": "blockdev-snapshot-sync", "arguments": arguments}))
    assert scene.tops() == ["/vm/s0.qcow2"]


def nothing(scene: Scene) -> None:
    return


@pytest.mark.parametrize(("entry", "profile"), UNABLE)
def test_a_snapshot_alone_never_takes_a_disk_off_its_storage(entry: Any, profile: Profile) -> None:
    assert isinstance(entry.programs[Manager.CAREFUL]["migrate-one"], Inexpressible)
    for scene in outcomes(entry, profile, nothing):
        chain = [node.path for node in scene.machine.graph.chain("d0") if isinstance(node, ImageNode)]
        assert "/vm/d0.qcow2" in chain or scene.live() != intact(1)


@pytest.mark.parametrize(("entry", "profile"), UNABLE)
def test_a_snapshot_alone_never_shows_a_prepared_image(entry: Any, profile: Profile) -> None:
    assert isinstance(entry.programs[Manager.CAREFUL]["switch-many"], Inexpressible)
    for scene in outcomes(entry, profile, prepare):
        data = scene.live()[0]
        assert data is None or data[16384:16392] != b"prepared"


@pytest.mark.parametrize(("entry", "profile"), UNABLE)
def test_a_snapshot_alone_is_never_taken_back(entry: Any, profile: Profile) -> None:
    for scene in outcomes(entry, profile, snapshot):
        assert scene.tops() != ["/vm/d0.qcow2"] or scene.live() != intact(1)
