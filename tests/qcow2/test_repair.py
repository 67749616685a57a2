"""Repair makes counts and flags right, loses nothing, and does not touch what it cannot mend."""

import random
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from blockops.errors import BlockError, HostError, ImageError, InvalidRequest, UnsupportedFeature
from blockops.qcow2.check import Verdict, check
from blockops.qcow2.create import create
from blockops.qcow2.header import CORRUPT, DIRTY, read_header
from blockops.qcow2.image import Qcow2Image
from blockops.qcow2.repair import Repaired, repair
from tests.qcow2.drawn import (
    DATA,
    L1,
    L2,
    TABLE,
    Shape,
    draw,
    draw_with_bitmap,
    draw_with_snapshot,
    set_refcount,
)
from tests.qcow2.files import BytesFile, Failure, apply
from tests.qcow2.guest import pattern, perform, steps
from tests.qcow2.real import Tool, agree, contents, opened, run
from tests.qcow2.test_check_against_qemu import RECIPES, Recipe, metadata, ruin

SHAPES = [Shape(9, 2), Shape(9, 3), *(Shape(12, 3, order) for order in range(7))]
DRAWINGS = [draw, draw_with_snapshot, draw_with_bitmap]
shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)


def clean(file: BytesFile) -> bool:
    file.closed = False
    return check(file).verdict is Verdict.CLEAN


def marked(file: BytesFile, bits: int) -> BytesFile:
    struct.pack_into(">Q", file.content, 72, bits)
    return file


# ------------------------------------------------------------------------------------------- real images


@pytest.mark.real_tool("qemu-img", "qemu-io")
@pytest.mark.parametrize(
    "options", ["", ",cluster_size=512", ",cluster_size=4k,refcount_bits=1", ",refcount_bits=64"]
)
def test_an_image_that_qemu_left_dirty_is_repaired_when_it_is_opened_for_writing(
    tmp_path: Path, real_tool: Tool, options: str
) -> None:
    path = tmp_path / "i.qcow2"
    run(real_tool("qemu-img"), "create", "-f", "qcow2", "-o", f"lazy_refcounts=on{options}", path, "1M")
    work = (
        "write -P 1 0 70k",
        "write -z 100k 64k",
        "discard 4k 4k",
        "write -P 2 300k 3000",
        "flush",
        "abort",
    )
    command = [real_tool("qemu-io"), *(part for one in work for part in ("-c", one)), str(path)]
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0
    image = opened(path)
    assert image.header.incompatible & DIRTY
    model = bytearray(image.read(0, 1 << 20))
    assert model[:4096] == b"\1" * 4096
    image.close()
    assert path.read_bytes()[79] == DIRTY
    image = opened(path, writable=True)
    assert not image.header.incompatible
    image.write(200_000, b"x" * 5000)
    model[200_000:205_000] = b"x" * 5000
    image.close()
    agree(real_tool, path)
    assert contents(real_tool, path) == model


@pytest.mark.real_tool("qemu-img", "qemu-io")
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_ruined_counts_and_flags_are_mended_as_qemu_mends_them(
    recipe: Recipe, real_tool: Tool, tmp_path: Path
) -> None:
    path, chance = tmp_path / "i.qcow2", random.Random(recipe.name)
    recipe.make(real_tool, path)
    good, before = path.read_bytes(), contents(real_tool, path)
    header = read_header(BytesFile(bytearray(good)))
    table, size = header.refcount_table_offset, header.geometry.cluster_size
    block = int.from_bytes(good[table : table + 8], "big")
    used = min(size, max(8, len(good) // size * header.geometry.refcount_bits // 8))
    for number in range(6):
        ruined = bytearray(good)
        for _ in range(chance.randrange(1, 9)):
            ruined[block + chance.randrange(used)] = chance.choice((0, 1, 2, 3, 255))
        if number % 3 == 2:
            ruined[table : table + 8] = (chance.choice((0, 1, 1 << 60, size))).to_bytes(8, "big")
        path.write_bytes(ruined)
        file = BytesFile(ruined)
        repair(file)
        path.write_bytes(file.content)
        agree(real_tool, path)
        assert contents(real_tool, path) == before
        assert repair(file) == Repaired(0, 0)


@pytest.mark.real_tool("qemu-img", "qemu-io")
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_any_ruin_is_mended_or_not_touched(recipe: Recipe, real_tool: Tool, tmp_path: Path) -> None:
    path, chance = tmp_path / "i.qcow2", random.Random(recipe.name)
    good = recipe.make(real_tool, path)
    ranges = [(start, length) for start, length in metadata(good) if 0 < length <= len(good) - start]
    for _ in range(15):
        file = BytesFile(bytearray(ruin(good, ranges, chance)))
        before = bytes(file.content)
        try:
            repair(file)
        except (ImageError, UnsupportedFeature):
            assert file.content == before
        else:
            assert clean(file), check(file)


# ------------------------------------------------------------------------------------------ drawn images


@pytest.mark.parametrize("shape", SHAPES[1:], ids=str)
@pytest.mark.parametrize("drawing", DRAWINGS)
def test_a_sound_image_is_not_written_to(shape: Shape, drawing: Callable[[Shape], bytearray]) -> None:
    file = BytesFile(drawing(shape))
    assert repair(file) == Repaired(0, 0)
    assert all(change[0] == "flush" for change in file.changes)


@shapes
def test_leaks_and_corruptions_are_counted_apart(shape: Shape) -> None:
    file = BytesFile(draw(shape))
    set_refcount(file.content, shape, DATA + 5, 1)
    set_refcount(file.content, shape, DATA, 0)
    with pytest.raises(ImageError, match="1 corruptions must be mended before leaks can be"):
        repair(file, leaks_only=True)
    assert file.changes == []
    assert repair(file) == Repaired(1, 1)
    assert clean(file)
    set_refcount(file.content, shape, DATA + 5, 1)
    assert repair(file, leaks_only=True) == Repaired(1, 0)
    assert clean(file)


@shapes
def test_a_cluster_with_two_references_is_counted_twice_where_that_fits(shape: Shape) -> None:
    file = BytesFile(draw(shape))
    first, second = shape.at(L2), shape.at(L2, 1)
    file.content[second : second + 8] = file.content[first : first + 8]
    before = bytes(file.content)
    if shape.refcount_order == 0:
        with pytest.raises(ImageError, match="do not fit 1 bits"):
            repair(file)
        assert file.content == before
        return
    assert repair(file) == Repaired(1, 3)
    assert clean(file)
    image = Qcow2Image.open(file, writable=True)
    image.write(0, b"zz")
    assert image.read(shape.cluster_size, 3) == b"\1\1\1"


UNMENDABLE = {
    "beyond the file": (L2, 0, (1 << 63) + (1 << 40)),
    "reserved bits": (L2, 0, (1 << 63) + (1 << 60)),
    "not aligned": (L1, 0, (1 << 63) + 513),
    "header": (L2, 0, 0),
}


@pytest.mark.parametrize("name", UNMENDABLE)
@pytest.mark.parametrize("bits", [0, DIRTY, CORRUPT])
def test_what_cannot_be_mended_is_not_touched(name: str, bits: int) -> None:
    shape = Shape()
    file = marked(BytesFile(draw(shape)), bits)
    cluster, entry, value = UNMENDABLE[name]
    value = value or (1 << 63) + shape.at(TABLE - 1) + shape.at(L1)
    struct.pack_into(">Q", file.content, shape.at(cluster, entry), value)
    before = bytes(file.content)
    with pytest.raises(ImageError):
        repair(file)
    if bits:
        with pytest.raises(BlockError):
            Qcow2Image.open(file, writable=True)
    assert file.content == before


def test_a_corrupt_image_is_refused_until_it_is_repaired() -> None:
    shape = Shape()
    file = marked(BytesFile(draw(shape)), CORRUPT)
    set_refcount(file.content, shape, DATA, 0)
    with pytest.raises(UnsupportedFeature, match="corrupt"):
        Qcow2Image.open(file, writable=True)
    repair(file)
    assert clean(file)
    Qcow2Image.open(file, writable=True).close()


def test_a_file_that_is_open_read_only_is_refused() -> None:
    file = BytesFile(draw(Shape()), writable=False)
    with pytest.raises(InvalidRequest, match="read-only"):
        repair(file)


def test_unknown_autoclear_bits_are_cleared_before_anything_else_is_written() -> None:
    shape = Shape()
    file = BytesFile(draw_with_bitmap(shape))
    struct.pack_into(">Q", file.content, 88, 1 | 1 << 9)
    set_refcount(file.content, shape, DATA + 5, 1)
    repair(file)
    assert [change[0] for change in file.changes[:2]] == ["write", "flush"]
    assert read_header(file).autoclear == 1
    assert clean(file)


# ----------------------------------------------------------------------------------------------- failing


def ruined_counts(shape: Shape, seed: int, bits: int) -> BytesFile:
    chance = random.Random(seed)
    file = marked(BytesFile(draw_with_snapshot(shape)), bits)
    for _ in range(4):
        set_refcount(file.content, shape, chance.randrange(1, 13), chance.choice((0, 1, 2)))
    if seed % 2:
        struct.pack_into(">Q", file.content, shape.at(TABLE), chance.choice((0, 1, shape.at(DATA))))
    struct.pack_into(">Q", file.content, shape.at(L1), shape.at(L2))
    return file


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 999), bits=st.sampled_from([0, DIRTY, CORRUPT]), failure=st.sampled_from(Failure))
@example(seed=1, bits=DIRTY, failure=Failure.DROPPING)
def test_a_repair_that_fails_anywhere_is_done_by_the_next(seed: int, bits: int, failure: Failure) -> None:
    shape = Shape(9, 3, 4)
    undisturbed = ruined_counts(shape, seed, bits)
    seen = Qcow2Image.open(undisturbed, writable=False).read(0, 4096)
    repair(undisturbed)
    assert clean(undisturbed)
    for index in range(len(undisturbed.changes)):
        file = ruined_counts(shape, seed, bits)
        file.durable = bytes(file.content)
        file.fail_at, file.failure = index, failure
        with pytest.raises(HostError):
            repair(file)
        repair(file)
        assert clean(file)
        assert Qcow2Image.open(file, writable=False).read(0, 4096) == seen
    content = ruined_counts(shape, seed, bits).content
    for change in undisturbed.changes:
        apply(content, change)
        file = BytesFile(bytearray(content))
        assert not bits or clean(file) or read_header(file).incompatible == bits
        assert Qcow2Image.open(file, writable=False).read(0, 4096) == seen


@settings(max_examples=40)
@given(
    cluster_size=st.sampled_from([512, 4096]),
    order=st.integers(0, 6),
    work=st.lists(steps(), max_size=10),
    data=st.data(),
)
def test_whatever_is_done_to_the_counts_the_guest_finds_its_data(
    cluster_size: int, order: int, work: list[object], data: st.DataObject
) -> None:
    file = BytesFile()
    create(file, size=200 * 512, cluster_size=cluster_size, refcount_bits=1 << order)
    image = Qcow2Image.open(file, writable=True)
    for step in work:
        perform(step, image)  # type: ignore[arg-type]  # a step
    model = bytearray(image.read(0, image.size))
    image.close()
    file.closed = False
    block = 2 * cluster_size
    ruin = data.draw(st.lists(st.tuples(st.integers(0, 63), st.integers(0, 255)), max_size=6))
    for place, value in ruin:
        file.content[block + place] = value
    marked(file, DIRTY)
    image = Qcow2Image.open(file, writable=True)
    assert clean(file)
    assert image.read(0, image.size) == model
    image.write(0, pattern(9, 3000))
    model[:3000] = pattern(9, 3000)
    image.close()
    assert clean(file)
    assert Qcow2Image.open(file, writable=False).read(0, len(model)) == model
