"""Snapshots while the host fails or the process is killed: nothing of any of them is lost."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from blockops.errors import Effect, HostError
from blockops.qcow2.check import Verdict, check
from blockops.qcow2.image import Qcow2Image
from tests.qcow2.files import BytesFile, Failure, apply
from tests.qcow2.snapshot_world import BUSY, Turn, World, begin, turns


@settings(max_examples=12)
@given(version=st.sampled_from([2, 3]), work=turns)
@example(version=3, work=BUSY)
@example(version=2, work=BUSY)
def test_a_kill_after_any_host_operation_loses_nothing(version: int, work: list[Turn]) -> None:
    world = begin(version)
    content = bytearray(world.file.content)
    world.file.changes.clear()
    states = []
    for turn in work:
        before = bytes(world.model), dict(world.kept)
        first = len(world.file.changes)
        world.do(turn)
        world.image.flush()
        states += [(before, (bytes(world.model), dict(world.kept)))] * (len(world.file.changes) - first)
    for change, (before, after) in zip(world.file.changes, states, strict=True):
        apply(content, change)
        file = BytesFile(content=bytearray(content))
        image = Qcow2Image.open(file, writable=True)
        found = image.read(0, image.size)
        if found not in (before[0], after[0]):
            assert all(now in (a, b) for now, a, b in zip(found, before[0], after[0], strict=True))
        names = [one.name for one in image.snapshots]
        assert names in (list(before[1]), list(after[1]))
        for name in names:
            shown = Qcow2Image.open(file, writable=False, snapshot=name).read(0, len(found))
            assert shown == {**before[1], **after[1]}[name]
        if version == 3:
            assert check(file).verdict in (Verdict.CLEAN, Verdict.LEAKS)
        image.write(0, b"Q" * 20_000)
        image.flush()
        for name in names:
            shown = Qcow2Image.open(file, writable=False, snapshot=name).read(0, len(found))
            assert shown == {**before[1], **after[1]}[name]


@pytest.mark.parametrize("failure", Failure)
@pytest.mark.parametrize("version", [2, 3])
def test_one_failure_anywhere_loses_nothing(failure: Failure, version: int) -> None:
    world = begin(version)
    start = len(world.file.changes)
    for turn in BUSY:
        world.do(turn)
    for index in range(start, len(world.file.changes)):
        world = begin(version)
        world.file.fail_at, world.file.failure = index, failure
        for turn in BUSY:
            _attempt(world, turn)
        world.image.close()
        world.file.closed = False
        world.image = Qcow2Image.open(world.file, writable=True)
        assert world.image.read(0, world.image.size) == world.model
        names = [one.name for one in world.image.snapshots]
        for name in names:
            shown = Qcow2Image.open(world.file, writable=False, snapshot=name).read(0, len(world.model))
            assert shown == world.kept[name]
        assert set(world.kept) == set(names)


def _attempt(world: World, turn: Turn) -> None:
    before, kept = bytes(world.model), dict(world.kept)
    try:
        world.do(turn)
    except HostError as error:
        found = world.image.read(0, world.image.size)
        names = {one.name for one in world.image.snapshots}
        if error.effect is Effect.NONE:
            assert (found, names) == (before, set(kept))
        if turn.verb == "create" and names != set(kept):
            world.kept[(names - set(kept)).pop()] = before
        if turn.verb == "delete":
            world.kept = {name: data for name, data in kept.items() if name in names}
        world.model[:] = found
