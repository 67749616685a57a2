"""Every change of the host file fails once, or is the last before a crash: the image is sound, data is kept.

The laws: after an error the same handle still reads what was acknowledged (the failed request's own bytes
may be old or new), later requests and flushes are right, and a crash leaves an image without corruption
in which everything flushed is as it was at the flush or as it was written later.
"""

import copy
from collections.abc import Iterator
from unittest import mock

import attrs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from blockops.errors import BlockError, Effect
from blockops.qcow2 import mapping, refcounts
from blockops.qcow2.check import check
from blockops.qcow2.create import create
from blockops.qcow2.image import Qcow2Image
from blockops.units import SECTOR
from tests.qcow2.files import BytesFile, Change, Failure, apply, sectors
from tests.qcow2.guest import Step, expect, pattern, perform, steps
from tests.qcow2.small import take_new_clusters_from

SIZE = 200 * SECTOR
# One refcount table of 512 bytes counts 8 MiB of such clusters: what comes after makes it grow.
NEAR_THE_LAST_BLOCK = (8 << 20) - 9 * 512


@attrs.frozen
class World:
    """An overlay on a base, and what the guest does to it."""

    version: int
    cluster_size: int
    backed: bool
    steps: list[Step]
    file_end: int = 0


worlds = st.builds(
    World,
    version=st.sampled_from([2, 3]),
    cluster_size=st.sampled_from([512, 512, 4096]),
    backed=st.booleans(),
    steps=st.lists(steps(), min_size=1, max_size=8),
)
GROWING = World(
    version=3,
    cluster_size=512,
    backed=True,
    steps=[
        Step("write", 0, 300, 2),
        Step("discard", 100, 100, 4),
        Step("flush", 0, 0, 2),
        Step("write", 0, 150, 3),
    ],
    file_end=NEAR_THE_LAST_BLOCK,
)


@attrs.define(eq=False)
class Flat:
    """A raw base in memory."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    def read(self, offset: int, length: int) -> bytes:
        return self.data[offset : offset + length]


BASE = Flat(pattern(99, SIZE - 1000))


@pytest.fixture(autouse=True)
def _small_caches() -> Iterator[None]:
    with (
        mock.patch.multiple(mapping, CACHE_BYTES=0, FEWEST_TABLES=2),
        mock.patch.multiple(refcounts, CACHE_BYTES=0, FEWEST_BLOCKS=2),
    ):
        yield


def begin(world: World) -> tuple[BytesFile, Qcow2Image, bytearray]:
    """Return a new overlay, flushed and without a history, open, and what it reads."""
    file = BytesFile()
    backing = BASE if world.backed else None
    create(
        file,
        size=SIZE,
        cluster_size=world.cluster_size,
        version=world.version,
        backing_file="base.raw" if world.backed else None,
    )
    file.truncate(max(file.size(), world.file_end))
    file.flush()
    file.changes.clear()
    model = bytearray(BASE.data.ljust(SIZE, b"\0") if world.backed else bytes(SIZE))
    image = Qcow2Image.open(file, writable=True, backing=backing)
    if world.file_end:
        take_new_clusters_from(image, world.file_end)
    return file, image, model


def assert_sound(file: BytesFile, *, leaks: bool) -> None:
    file.closed = False
    report = check(file)
    assert report.unsupported is None
    assert not report.corruptions
    assert leaks or not report.leaks


def reopened(file: BytesFile, world: World) -> Qcow2Image:
    file.closed = False
    return Qcow2Image.open(file, writable=True, backing=BASE if world.backed else None)


# ------------------------------------------------------------------------------------------ one failure


def changes_of(world: World) -> int:
    """Return how many host operations change the file when nothing fails."""
    file, image, _ = begin(world)
    for step in world.steps:
        perform(step, image)
    image.close()
    return len(file.changes)


def attempt(step: Step, image: Qcow2Image, model: bytearray, world: World) -> None:
    """Do a step that may fail; afterwards the model is what the image reads, which must be old or new."""
    before, after = bytes(model), bytearray(model)
    expect(step, after, world.cluster_size)
    try:
        perform(step, image)
    except BlockError as error:
        settle_for(error, image, before, bytes(after), model)
    else:
        model[:] = after
    assert image.size == len(model)


def settle_for(error: BlockError, image: Qcow2Image, old: bytes, new: bytes, model: bytearray) -> None:
    assert image.size == len(old)
    found = image.read(0, len(old))
    if error.effect is Effect.NONE:
        assert found == old
    for start in range(0, len(found), SECTOR):
        one, *either = (data[start : start + SECTOR] for data in (found, old, new))
        if one not in either:
            assert all(now in (a, b) for now, a, b in zip(one, *either, strict=True))
    model[:] = found


@pytest.mark.parametrize("failure", Failure)
@settings(max_examples=15)
@given(world=worlds)
@example(world=GROWING)
def test_one_failure_anywhere_loses_nothing_that_was_acknowledged(failure: Failure, world: World) -> None:
    for index in range(changes_of(world)):
        file, image, model = begin(world)
        file.fail_at, file.failure = index, failure
        for step in world.steps:
            attempt(step, image, model, world)
            if step.action == "flush":
                assert image.read(0, image.size) == model
        finish(file, image, model, world)


def finish(file: BytesFile, image: Qcow2Image, model: bytearray, world: World) -> None:
    """Flush until it succeeds; then a crash, and another life."""
    try:
        image.flush()
    except BlockError:
        image.flush()
    file.content[:] = file.durable
    image.abandon()
    assert_sound(file, leaks=True)
    again = reopened(file, world)
    assert again.read(0, again.size) == model
    again.write(0, pattern(7, 5000))
    model[:5000] = pattern(7, 5000)
    again.close()
    assert_sound(file, leaks=True)
    assert reopened(file, world).read(0, len(model)) == model


@pytest.mark.parametrize("failure", Failure)
@settings(max_examples=10)
@given(world=worlds)
@example(world=GROWING)
def test_close_releases_the_file_whatever_fails(failure: Failure, world: World) -> None:
    for index in range(changes_of(world)):
        file, image, model = begin(world)
        for step in world.steps:
            attempt(step, image, model, world)
        file.fail_at, file.failure = index, failure
        effect = None
        try:
            image.close()
        except BlockError as error:
            effect = error.effect
        assert effect in (None, Effect.UNKNOWN)
        assert file.closed
        assert_sound(file, leaks=True)


@settings(max_examples=15)
@given(world=worlds)
@example(world=GROWING)
def test_one_failed_read_anywhere_changes_nothing(world: World) -> None:
    file, image, _ = begin(world)
    for step in world.steps:
        perform(step, image)
    image.close()
    opening = begin(world)[0].reads
    for index in range(opening, file.reads):
        file, image, model = begin(world)
        file.fail_read_at = index
        for step in world.steps:
            attempt(step, image, model, world)
        finish(file, image, model, world)


@settings(max_examples=15)
@given(world=worlds, most=st.integers(1, 1000))
def test_short_transfers_make_no_difference(world: World, most: int) -> None:
    file, image, model = begin(world)
    file.most = most
    for step in world.steps:
        perform(step, image)
        expect(step, model, world.cluster_size)
    assert image.read(0, image.size) == model
    image.close()
    assert_sound(file, leaks=False)


# -------------------------------------------------------------------------------------------- crashes


@attrs.frozen
class Recorded:
    """A run: the file it began with, its changes, and the contents promised from each change on."""

    start: bytes
    changes: list[Change]
    promises: list[tuple[int, bytes]]
    later: list[tuple[int, bytes]]


def record(world: World) -> Recorded:
    file, image, model = begin(world)
    start = bytes(file.content)
    promises, later = [(0, bytes(model))], [(0, bytes(model))]
    for step in world.steps:
        began = len(file.changes)
        perform(step, image)
        expect(step, model, world.cluster_size)
        later.append((began, bytes(model)))
        if step.action in ("flush", "grow"):
            promises.append((len(file.changes), bytes(model)))
    image.close()
    promises.append((len(file.changes), bytes(model)))
    return Recorded(start, file.changes, promises, later)


def assert_promise_kept(content: bytearray, at: int, run: Recorded, world: World) -> None:
    """What was flushed by change *at* is there, or something that was written after it."""
    file = BytesFile(content=content)
    assert_sound(file, leaks=True)
    promised_at, promised = [promise for promise in run.promises if promise[0] <= at][-1]
    candidates = [promised, *(model for began, model in run.later if promised_at <= began <= at)]
    image = reopened(file, world)
    found = image.read(0, min(image.size, len(promised)))
    assert image.size >= len(promised)
    for start in range(0, len(found), SECTOR):
        sector = slice(start, start + SECTOR)
        if not any(found[sector] == model[sector] for model in candidates):
            assert all(
                byte in {model[start + at] for model in candidates} for at, byte in enumerate(found[sector])
            )


@settings(max_examples=40)
@given(world=worlds)
@example(world=GROWING)
def test_a_kill_after_any_host_operation_leaves_a_leak_at_worst(world: World) -> None:
    run = record(world)
    content = bytearray(run.start)
    for at, change in enumerate(run.changes):
        assert_promise_kept(copy.copy(content), at, run, world)
        apply(content, change)
    assert_promise_kept(content, len(run.changes), run, world)
    assert not check(BytesFile(content=content)).leaks


@settings(max_examples=40)
@given(world=worlds | st.just(GROWING), data=st.data())
def test_power_loss_with_any_part_of_the_unflushed_writes_leaves_a_leak_at_worst(
    world: World, data: st.DataObject
) -> None:
    run = record(world)
    durable = bytearray(run.start)
    pending: list[Change] = []
    for at, change in enumerate(run.changes):
        if change[0] == "flush":
            keep = data.draw(st.integers(0, (1 << len(pending)) - 1))
            survivor = copy.copy(durable)
            for place, one in enumerate(pending):
                if keep >> place & 1:
                    apply(survivor, one)
            assert_promise_kept(survivor, at, run, world)
            for one in pending:
                apply(durable, one)
            pending.clear()
        else:
            pending.extend(sectors(change))
