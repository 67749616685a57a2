"""Extended L2 entries: the real tools' images are read and written equal, ours are clean and equal."""

import random
import struct
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blockops.errors import HostError, ImageError, InvalidRequest
from blockops.qcow2.check import check
from blockops.qcow2.create import create
from blockops.qcow2.image import Qcow2Image
from blockops.qcow2.repair import repair
from blockops.units import KIB
from tests.qcow2.files import BytesFile, Failure, apply
from tests.qcow2.guest import Step, expect, pattern, perform, steps
from tests.qcow2.real import Tool, agree, contents, opened, run

DISK = 300 * 512 + 16 * KIB
CLUSTER = 16 * KIB
UNIT = CLUSTER // 32
LAYOUTS = ["cluster_size=16k", "cluster_size=64k", "cluster_size=2M", "cluster_size=16k,refcount_bits=1"]


def fresh(size: int = 20 * CLUSTER, **options: object) -> tuple[BytesFile, Qcow2Image]:
    file = BytesFile()
    create(file, size=size, cluster_size=CLUSTER, extended_l2=True, **options)  # type: ignore[arg-type]
    return file, Qcow2Image.open(file, writable=True)


class Flat:
    """A raw base in memory."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)

    def read(self, offset: int, length: int) -> bytes:
        return self.data[offset : offset + length]


# ------------------------------------------------------------------------------------------- real images


@pytest.mark.real_tool("qemu-img", "qemu-io")
@pytest.mark.parametrize("options", LAYOUTS)
@pytest.mark.parametrize("backed", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_a_real_image_reads_and_writes_equal(
    tmp_path: Path, real_tool: Tool, options: str, backed: bool, seed: int
) -> None:
    chance, path = random.Random(f"{options}{backed}{seed}"), tmp_path / "i.qcow2"
    below = ["-b", "base.raw", "-F", "raw"] if backed else []
    (tmp_path / "base.raw").write_bytes(pattern(seed + 1, DISK - 20_000))
    run(
        real_tool("qemu-img"),
        "create",
        "-f",
        "qcow2",
        "-o",
        f"extended_l2=on,{options}",
        *below,
        path,
        str(DISK),
    )
    commands = []
    for _ in range(12):
        offset, length = chance.randrange(DISK // 512), chance.choice((1, 2, 5, 33, 90))
        length = min(length, DISK // 512 - offset)
        verb = chance.choice(("write -P 7", "write -P 9", "write -z", "write -z -u", "discard"))
        commands += ["-c", f"{verb} {offset * 512} {length * 512}"]
    run(real_tool("qemu-io"), *commands, path)
    agree(real_tool, path)
    model = bytearray(contents(real_tool, path))
    base = Flat((tmp_path / "base.raw").read_bytes()) if backed else None
    image = opened(path, writable=True)
    image.backing = base
    assert image.read(0, DISK) == model
    for number in range(30):
        offset, length = chance.randrange(DISK), chance.choice((1, 100, 512, 3000, 20_000, 70_000))
        length = min(length, DISK - offset)
        if number % 3 == 2:
            image.write_zeroes(offset, length)
            model[offset : offset + length] = bytes(length)
        else:
            image.write(offset, pattern(number, length))
            model[offset : offset + length] = pattern(number, length)
        assert image.read(0, DISK) == model
    image.close()
    agree(real_tool, path)
    assert contents(real_tool, path) == model


@pytest.mark.real_tool("qemu-img", "qemu-io")
def test_real_snapshots_and_compressed_clusters_are_kept(tmp_path: Path, real_tool: Tool) -> None:
    path = tmp_path / "i.qcow2"
    run(real_tool("qemu-img"), "create", "-f", "qcow2", "-o", "extended_l2=on,cluster_size=16k", path, "320k")
    run(
        real_tool("qemu-io"),
        "-c",
        "write -c -P 5 32k 16k",
        "-c",
        "write -c -P 6 64k 16k",
        "-c",
        "write -P 7 5k 9k",
        path,
    )
    run(real_tool("qemu-img"), "snapshot", "-c", "one", path)
    shown = contents(real_tool, path)
    image, model = opened(path, writable=True), bytearray(shown)
    for offset, length in ((33_000, 10), (0, 600), (9000, 2000), (70_000, 70_000)):
        image.write(offset, pattern(3, length))
        model[offset : offset + length] = pattern(3, length)
    image.write_zeroes(65 * KIB, 2 * KIB)
    model[65 * KIB : 67 * KIB] = bytes(2 * KIB)
    image.write_compressed(192 * KIB, pattern(4, 64 * KIB))
    model[192 * KIB : 256 * KIB] = pattern(4, 64 * KIB)
    image.snapshots.create("two")
    image.write(0, b"last")
    model[0:4] = b"last"
    image.close()
    agree(real_tool, path)
    assert contents(real_tool, path) == model
    assert contents(real_tool, path, "-l", "snapshot.name=one") == shown
    image = opened(path, writable=True)
    image.snapshots.apply("one")
    image.snapshots.delete("two")
    image.close()
    agree(real_tool, path)
    assert contents(real_tool, path) == shown


@pytest.mark.real_tool("qemu-img")
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(backed=st.booleans(), work=st.lists(steps(), max_size=15))
def test_the_real_tool_finds_our_images_clean_and_equal(
    tmp_path: Path, real_tool: Tool, backed: bool, work: list[Step]
) -> None:
    path = tmp_path / "i.qcow2"
    (tmp_path / "base.raw").write_bytes(pattern(8, 9 * CLUSTER + 700))
    file, image = fresh(backing_file="base.raw" if backed else None, backing_format="raw" if backed else None)
    image.backing = Flat((tmp_path / "base.raw").read_bytes()) if backed else None
    model = bytearray(image.read(0, image.size))
    for step in work:
        perform(step, image)
        expect(step, model, CLUSTER)
        assert image.read(0, image.size) == model
    image.close()
    path.write_bytes(file.content)
    agree(real_tool, path)
    assert contents(real_tool, path) == model


@pytest.mark.real_tool("qemu-img", "qemu-io")
def test_ruined_counts_of_extended_images_are_repaired(tmp_path: Path, real_tool: Tool) -> None:
    path = tmp_path / "i.qcow2"
    run(real_tool("qemu-img"), "create", "-f", "qcow2", "-o", "extended_l2=on,cluster_size=16k", path, "1M")
    run(real_tool("qemu-io"), "-c", "write -P 5 3k 90k", "-c", "write -z 40k 3k", path)
    before, file = contents(real_tool, path), BytesFile(bytearray(path.read_bytes()))
    file.content[2 * CLUSTER : 2 * CLUSTER + 20] = bytes(20)
    l2 = struct.unpack_from(">Q", file.content, 3 * CLUSTER)[0] & ((1 << 56) - 512)
    file.content[l2] ^= 0x80
    assert check(file).corruptions
    repair(file)
    path.write_bytes(file.content)
    agree(real_tool, path)
    assert contents(real_tool, path) == before


# --------------------------------------------------------------------------------------- what it is for


def test_a_small_write_over_a_backing_copies_a_subcluster_and_no_more() -> None:
    _, image = fresh(backing_file="base.raw")
    base = mock.Mock(wraps=Flat(pattern(1, 20 * CLUSTER)), size=20 * CLUSTER)
    image.backing = base
    image.write(3 * UNIT + 10, b"x" * 20)
    assert base.read.call_args_list == [mock.call(3 * UNIT, UNIT)]
    image.write(4 * UNIT, b"y" * UNIT)
    assert len(base.read.call_args_list) == 1


def test_zeroing_subclusters_writes_no_data() -> None:
    file, image = fresh()
    image.write(0, pattern(1, 4 * CLUSTER))
    image.flush()
    file.changes.clear()
    image.write_zeroes(CLUSTER + 3 * UNIT, 9 * UNIT)
    assert file.changes == []
    image.close()
    assert len(file.changes) == 2


@pytest.mark.parametrize("options", [{"version": 2}, {"cluster_size": 8192}])
def test_where_extended_entries_cannot_be_they_are_refused(options: dict[str, int]) -> None:
    file = BytesFile()
    with pytest.raises(InvalidRequest, match="extended L2 entries need"):
        create(file, size=1 << 20, extended_l2=True, **options)  # type: ignore[arg-type]  # one of them
    assert file.changes == []


BAD = {
    "both": (None, 1 | 1 << 32),
    "nowhere": (0, 4),
    "zero flag": (1, 0),
    "compressed": ((1 << 62) | 81920, 1),
}


@pytest.mark.parametrize("name", BAD)
def test_an_entry_that_contradicts_itself_is_named_with_its_place(name: str) -> None:
    file, image = fresh()
    image.write(CLUSTER, b"x" * CLUSTER)
    image.close()
    file.closed = False
    l2 = struct.unpack_from(">Q", file.content, image.header.l1_offset)[0] & ((1 << 56) - 512)
    entry, bitmap = BAD[name]
    struct.pack_into(">Q", file.content, l2 + 24, bitmap)
    if entry is not None:
        struct.pack_into(">Q", file.content, l2 + 16, entry)
    again = Qcow2Image.open(file, writable=True)
    before = bytes(file.content)
    with pytest.raises(ImageError) as error:
        again.read(CLUSTER, 1)
    assert (error.value.structure, error.value.offset) == ("L2 table", l2 + 16)
    with pytest.raises(ImageError):
        again.write(CLUSTER + 9 * UNIT, b"y")
    assert check(file).corruptions
    assert file.content == before


# ----------------------------------------------------------------------------------------------- failing


@settings(max_examples=12)
@given(work=st.lists(steps(), min_size=1, max_size=6), failure=st.sampled_from(Failure))
def test_a_failure_or_a_kill_anywhere_loses_nothing_that_was_flushed(
    work: list[Step], failure: Failure
) -> None:
    file, image = fresh(size=5 * CLUSTER)
    model = bytearray(image.size)
    start = bytes(file.content)
    file.changes.clear()
    promised = [(0, bytes(model))]
    for step in work:
        perform(step, image)
        expect(step, model, CLUSTER)
        image.flush()
        promised.append((len(file.changes), bytes(model)))
    content = bytearray(start)
    for at, change in enumerate(file.changes, 1):
        apply(content, change)
        crashed = BytesFile(bytearray(content))
        assert not check(crashed).corruptions
        found = Qcow2Image.open(crashed, writable=False)
        before = next(data for number, data in reversed(promised) if number <= at)
        after = next((data for number, data in promised if number > at), before)
        shown = found.read(0, found.size).ljust(len(after), b"\0")
        assert all(
            now in pair for now, *pair in zip(shown, before.ljust(len(after), b"\0"), after, strict=True)
        )
    for index in range(len(file.changes)):
        _fail_once(work, index, failure)


def _fail_once(work: list[Step], index: int, failure: Failure) -> None:
    file, image = fresh(size=5 * CLUSTER)
    file.changes.clear()
    file.durable = bytes(file.content)
    file.fail_at, file.failure = index, failure
    for step in work:
        try:
            perform(step, image)
            image.flush()
        except HostError:
            image.flush()
    seen = image.read(0, image.size)
    image.close()
    file.closed = False
    assert not check(file).corruptions
    assert Qcow2Image.open(file, writable=False).read(0, len(seen)) == seen
