"""Damaged images: snapshots, bitmaps, repair and compressed writes name what is wrong and do no more.

The laws are those of `tests.fuzz.target`: nothing but a `BlockError` of one line, work bounded by the file's
real size, a clean image clean still; and repair leaves an image clean, or as it was.
"""

from collections.abc import Callable

import attrs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from blockops.errors import BlockError, ImageError
from blockops.qcow2.check import Verdict, check
from blockops.qcow2.create import create
from blockops.qcow2.image import Qcow2Image
from blockops.qcow2.repair import repair
from tests.fuzz.target import MeasuredFile
from tests.fuzz.test_hostile import LIES, PLACES
from tests.qcow2.drawn import Shape, draw_with_bitmap, draw_with_snapshot
from tests.qcow2.files import BytesFile
from tests.qcow2.guest import pattern

CLUSTER = 16384


def _worked(**options: object) -> bytes:
    file = BytesFile()
    create(file, size=40 * CLUSTER, cluster_size=CLUSTER, **options)  # type: ignore[arg-type]  # as given
    inside = "data_file" not in options
    image = Qcow2Image.open(file, writable=True, data_file=lambda _: BytesFile())
    image.write(700, pattern(1, 3 * CLUSTER))
    image.write_zeroes(2000, 5000)
    if inside:
        image.write_compressed(8 * CLUSTER, pattern(2, 4 * CLUSTER))
        image.snapshots.create("one")
        image.write(CLUSTER, pattern(3, 9 * CLUSTER))
        image.snapshots.create("two")
    image.close()
    return bytes(file.content)


SEEDS = (
    bytes(draw_with_snapshot(Shape())),
    bytes(draw_with_snapshot(Shape(version=2))),
    bytes(draw_with_bitmap(Shape())),
    _worked(),
    _worked(extended_l2=True),
    _worked(refcount_bits=4, lazy_refcounts=True),
    _worked(data_file="d"),
    _worked(data_file="d", extended_l2=True),
)
# Where in each something is: most of an image is data, or empty.
LIVE = [[at for at in range(0, min(len(seed), 9 * CLUSTER), 8) if any(seed[at : at + 8])] for seed in SEEDS]


@attrs.frozen
class Damaged:
    """A seed with a few values put somewhere, perhaps cut short; small where a failure is shown."""

    seed: int
    patches: tuple[tuple[int, bytes], ...]
    length: int

    @property
    def content(self) -> bytes:
        image = bytearray(SEEDS[self.seed])
        for offset, value in self.patches:
            image[offset : offset + len(value)] = value
        return bytes(image[: self.length])


@st.composite
def damaged(draw: st.DrawFn) -> Damaged:
    number = draw(st.integers(0, len(SEEDS) - 1))
    image, patches = SEEDS[number], []
    live = st.sampled_from(LIVE[number])
    for _ in range(draw(st.integers(1, 4))):
        width = draw(st.sampled_from([1, 2, 4, 8]))
        offset = draw(st.one_of(PLACES, live, live)) + draw(st.integers(0, 8 - width))
        near = int.from_bytes(image[offset : offset + width], "big") ^ 1 << draw(st.integers(0, 63))
        value = draw(st.one_of(st.sampled_from(LIES), st.just(near)))
        patches.append((offset, (value & ((1 << 8 * width) - 1)).to_bytes(width, "big")))
    ends = st.one_of(st.just(len(image)), st.just(len(image)), st.integers(0, len(image)))
    return Damaged(number, tuple(patches), draw(ends))


def _tried(file: MeasuredFile, work: Callable[[], object]) -> BlockError | None:
    """Do it within bounds; return the error that came of it, which is one line."""
    file.allow()
    found: BlockError | None = None
    try:
        work()
    except BlockError as error:
        found = error
    assert "\n" not in str(found)
    return found


def _opened(file: MeasuredFile, **how: object) -> Qcow2Image:
    file.closed = False
    return Qcow2Image.open(file, data_file=lambda _: BytesFile(), **how)  # type: ignore[arg-type]  # as given


def _look(file: MeasuredFile) -> None:
    """List and read everything that has a name."""
    image = _opened(file, writable=False)
    _tried(file, lambda: image.bitmaps)
    names: list[str] = []
    _tried(file, lambda: names.extend(one.id for one in image.snapshots))
    for name in names[:4]:
        _tried(file, lambda name=name: _opened(file, writable=False, snapshot=name).read(0, 512))  # type: ignore[misc]


def _change(file: MeasuredFile) -> None:
    """Do to the snapshots what can be done."""
    image = _opened(file, writable=True)
    names = [one.id for one in image.snapshots]
    _tried(file, lambda: image.write_compressed(0, bytes(image.header.geometry.cluster_size)))
    _tried(file, lambda: image.snapshots.create("new"))
    _tried(file, lambda: image.write(0, b"x" * 700))
    for name in names[:1]:
        _tried(file, lambda name=name: image.snapshots.apply(name))  # type: ignore[misc]
        _tried(file, lambda name=name: image.snapshots.delete(name))  # type: ignore[misc]
    _tried(file, image.flush)


@settings(max_examples=300)
@given(damage=damaged())
@example(Damaged(7, ((65544, b"\x01"),), 81920))
@example(Damaged(7, (), 81912))
def test_no_lie_makes_snapshots_or_bitmaps_do_more_than_name_it(damage: Damaged) -> None:
    data = damage.content
    file = MeasuredFile(bytearray(data))
    verdict = check(file).verdict
    _tried(file, lambda: _look(file))
    assert file.content == data
    file.bounded = False
    _tried(file, lambda: _change(file))
    file.closed = False
    if verdict is Verdict.CLEAN:
        assert check(file).verdict in (Verdict.CLEAN, Verdict.LEAKS)


@settings(max_examples=300)
@given(damage=damaged())
@example(Damaged(7, ((65544, b"\x01"),), 81920))
@example(Damaged(7, (), 81912))
def test_repair_leaves_an_image_clean_or_as_it_was(damage: Damaged) -> None:
    data = damage.content
    file = MeasuredFile(bytearray(data), bounded=False)
    if _tried(file, lambda: repair(file)) is None:
        report = check(file)
        assert report.verdict is Verdict.CLEAN, (report.corruptions[:3], report.leaks[:3])
    else:
        assert file.content == data


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed_is_clean_and_needs_no_repair(seed: bytes) -> None:
    file = MeasuredFile(bytearray(seed))
    file.allow()
    assert check(file).verdict is Verdict.CLEAN
    assert repair(file).corruptions == 0
    assert file.content == seed


def test_a_data_file_that_nobody_opens_is_asked_for() -> None:
    with pytest.raises(BlockError, match="data file"):
        Qcow2Image.open(BytesFile(bytearray(SEEDS[-1])), writable=False)
    with pytest.raises(ImageError, match="begins with"):
        repair(BytesFile(bytearray(100)))
