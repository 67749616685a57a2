"""Internal snapshots: the real tools' are read and kept, ours are theirs, and nothing is ever lost of one."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blockops.errors import BlockError, ImageError, InvalidRequest, UnsupportedFeature
from blockops.qcow2.header import DIRTY
from blockops.qcow2.image import Qcow2Image
from tests.qcow2.guest import pattern
from tests.qcow2.real import Tool, agree, contents, opened, run
from tests.qcow2.small import CLUSTER, SIZE, new
from tests.qcow2.snapshot_world import BUSY, NOTHING, Turn, begin, turns

DISK = 300 * 512
OPTIONS = [
    "",
    "compat=0.10",
    "cluster_size=512",
    "cluster_size=2M",
    "refcount_bits=4",
    "refcount_bits=64,cluster_size=4k",
]


# ------------------------------------------------------------------------------------------ real images


def real_snapshots(real_tool: Tool, path: Path, options: str) -> dict[str, bytes]:
    """Make an image with three snapshots; return what each shows."""
    given = ["-o", options] if options else []
    run(real_tool("qemu-img"), "create", "-f", "qcow2", *given, path, str(DISK))
    shown = {}
    for turn in range(1, 4):
        run(real_tool("qemu-io"), "-c", f"write -P {turn} {turn * 20000} 40000", path)
        run(real_tool("qemu-io"), "-c", f"write -z {turn * 30000} 9000", path)
        shown[f"snap{turn}"] = contents(real_tool, path)
        run(real_tool("qemu-img"), "snapshot", "-c", f"snap{turn}", path)
    return shown


@pytest.mark.real_tool("qemu-img", "qemu-io")
@pytest.mark.parametrize("options", OPTIONS)
def test_real_snapshots_are_listed_read_and_kept_by_writes(
    tmp_path: Path, real_tool: Tool, options: str
) -> None:
    path = tmp_path / "i.qcow2"
    shown = real_snapshots(real_tool, path, options)
    listed = json.loads(run(real_tool("qemu-img"), "info", "--output=json", path))["snapshots"]
    image = opened(path, writable=True)
    ours = [(one.id, one.name, one.vm_state_size, one.date_sec, one.date_nsec) for one in image.snapshots]
    assert ours == [
        (one["id"], one["name"], one["vm-state-size"], one["date-sec"], one["date-nsec"]) for one in listed
    ]
    model = bytearray(shown["snap3"])
    for offset, length in ((0, 30_000), (70_001, 5), (100_000, 50_000)):
        image.write(offset, pattern(7, length))
        model[offset : offset + length] = pattern(7, length)
    image.discard(40_000, 20_000)
    model[40_000:60_000] = bytes(20_000)
    assert image.read(0, DISK) == model
    image.close()
    agree(real_tool, path)
    assert contents(real_tool, path) == model
    for name, data in shown.items():
        assert contents(real_tool, path, "-l", f"snapshot.name={name}") == data
        file = opened(path)._file._file
        assert Qcow2Image.open(file, writable=False, snapshot=name).read(0, DISK) == data


@pytest.mark.real_tool("qemu-img", "qemu-io")
@pytest.mark.parametrize("options", OPTIONS)
def test_the_real_tool_goes_on_with_snapshots_that_we_took(
    tmp_path: Path, real_tool: Tool, options: str
) -> None:
    path = tmp_path / "i.qcow2"
    shown = real_snapshots(real_tool, path, options)
    image = opened(path, writable=True)
    image.write(10_000, b"w" * 60_000)
    shown["ours"] = image.read(0, DISK)
    taken = image.snapshots.create("ours", date_sec=1_353_000_000, date_nsec=5, vm_clock_nsec=77)
    assert taken.id == "4"
    image.write(0, b"v" * DISK)
    image.snapshots.delete("snap2")
    del shown["snap2"]
    image.snapshots.apply("snap1")
    assert image.read(0, DISK) == shown["snap1"]
    image.write(5, b"u")
    image.close()
    agree(real_tool, path)
    for name, data in shown.items():
        assert contents(real_tool, path, "-l", f"snapshot.name={name}") == data
    listed = json.loads(run(real_tool("qemu-img"), "info", "--output=json", path))["snapshots"]
    assert [one["name"] for one in listed] == ["snap1", "snap3", "ours"]
    assert (listed[2]["date-sec"], listed[2]["date-nsec"]) == (1_353_000_000, 5)
    run(real_tool("qemu-img"), "snapshot", "-a", "ours", path)
    agree(real_tool, path)
    assert contents(real_tool, path) == shown["ours"]
    for name in shown:
        run(real_tool("qemu-img"), "snapshot", "-d", name, path)
    agree(real_tool, path)
    assert opened(path).read(0, DISK) == shown["ours"]


@pytest.mark.real_tool("qemu-img")
def test_snapshots_of_disks_of_other_sizes_are_applied_as_by_the_real_tool(
    tmp_path: Path, real_tool: Tool
) -> None:
    path = tmp_path / "i.qcow2"
    run(real_tool("qemu-img"), "create", "-f", "qcow2", "-o", "cluster_size=512", path, "64k")
    image = opened(path, writable=True)
    image.write(0, b"s" * 65536)
    image.snapshots.create("small")
    image.resize(1 << 20)
    image.write(65536, b"l" * 65536)
    image.snapshots.create("large")
    for name, size in (("small", 65536), ("large", 1 << 20), ("small", 65536)):
        image.snapshots.apply(name)
        assert image.size == image.header.size == size
        image.flush()
        agree(real_tool, path)
        assert contents(real_tool, path) == image.read(0, size)
    image.write(0, b"t" * 65536)
    image.snapshots.apply("large")
    assert image.read(0, 1 << 20) == (b"s" * 65536 + b"l" * 65536).ljust(1 << 20, b"\0")
    image.close()
    agree(real_tool, path)


# -------------------------------------------------------------------------------------------- any order


@settings(max_examples=60)
@given(version=st.sampled_from([2, 3]), cluster_size=st.sampled_from([512, 1024, 4096]), work=turns)
def test_whatever_guest_and_snapshots_do_in_turn_each_shows_what_it_should(
    version: int, cluster_size: int, work: list[Turn]
) -> None:
    world = begin(version, cluster_size)
    for turn in work:
        world.do(turn)
        world.assert_right()


@pytest.mark.real_tool("qemu-img")
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(version=st.sampled_from([2, 3]), cluster_size=st.sampled_from([512, 4096]), work=turns)
def test_the_real_tool_finds_what_they_did_clean_and_equal(
    tmp_path: Path, real_tool: Tool, version: int, cluster_size: int, work: list[Turn]
) -> None:
    world, path = begin(version, cluster_size), tmp_path / "i.qcow2"
    for turn in work:
        world.do(turn)
    world.image.close()
    path.write_bytes(world.file.content)
    agree(real_tool, path)
    assert contents(real_tool, path) == world.model
    for name, data in world.kept.items():
        assert contents(real_tool, path, "-l", f"snapshot.name={name}") == data


# -------------------------------------------------------------------------------------------- refusing


def test_a_snapshot_that_is_not_there_is_named() -> None:
    _, image = new()
    image.snapshots.create("a")
    for request in (image.snapshots.apply, image.snapshots.delete):
        with pytest.raises(InvalidRequest, match="no snapshot 'b'"):
            request("b")
    assert not image.header.incompatible


def test_an_id_is_looked_for_before_a_name() -> None:
    _, image = new()
    image.snapshots.create("2")
    image.write(0, b"x")
    image.snapshots.create("1")
    image.snapshots.apply("1")
    assert image.read(0, 1) == b"\0"
    image.snapshots.delete("2")
    assert [one.name for one in image.snapshots] == ["2"]


def test_counts_that_are_too_narrow_are_refused_and_nothing_is_left_of_the_attempt() -> None:
    for bits, most in ((1, 0), (2, 2)):
        world = begin(refcount_bits=bits)
        world.do(BUSY[0])
        for _ in range(most):
            world.do(Turn("create", 0, NOTHING))
        with pytest.raises(UnsupportedFeature, match=f"{bits}-bit refcounts"):
            world.image.snapshots.create("one too many")
        assert not world.image.header.incompatible & DIRTY
        world.assert_right()


def test_what_is_open_read_only_can_be_listed_and_not_changed() -> None:
    file, image = new()
    image.snapshots.create("a")
    image.close()
    file.closed = False
    image = Qcow2Image.open(file, writable=False)
    assert [one.name for one in image.snapshots] == ["a"]
    for request in (image.snapshots.create, image.snapshots.apply, image.snapshots.delete):
        with pytest.raises(InvalidRequest, match="read-only"):
            request("a")
    with pytest.raises(InvalidRequest, match="can only be read"):
        Qcow2Image.open(file, writable=True, snapshot="a")
    with pytest.raises(InvalidRequest, match="no snapshot 'c'"):
        Qcow2Image.open(file, writable=False, snapshot="c")


def test_an_image_of_version_2_with_snapshots_keeps_its_size() -> None:
    _, image = new(version=2)
    image.snapshots.create("a")
    with pytest.raises(InvalidRequest, match="cannot be resized"):
        image.resize(2 * SIZE)


def test_writing_to_a_disk_with_a_snapshot_copies_a_cluster_once() -> None:
    file, image = new()
    image.write(0, b"a" * 4 * CLUSTER)
    image.snapshots.create("a")
    size = len(file.content)
    for turn in range(9):
        image.write(CLUSTER + turn, b"b")
        image.flush()
    assert len(file.content) <= size + 2 * CLUSTER


@pytest.mark.parametrize(
    ("place", "form", "value", "says"),
    [
        (36, 4, 2000, "extra data"),
        (0, 8, 513, "L1 table"),
        (8, 4, 1 << 30, "L1 table"),
        (12, 2, 9999, "ends within"),
    ],
)
def test_a_table_that_lies_is_named_with_its_place(place: int, form: int, value: int, says: str) -> None:
    file, image = new()
    image.snapshots.create("a")
    at = image.header.snapshots_offset + place
    file.content[at : at + form] = value.to_bytes(form, "big")
    with pytest.raises(BlockError, match=says) as error:
        list(image.snapshots)
    assert "snapshot table" in str(error.value)


def test_an_l1_table_that_leads_to_one_l2_table_over_and_over_ends_soon() -> None:
    file, image = new(size=1 << 30)
    image.write(0, b"x")
    image.close()
    file.closed = False
    l1 = image.header.l1_offset
    entry = bytes(file.content[l1 : l1 + 8])
    file.content[l1 : l1 + image.header.l1_entries * 8] = entry * image.header.l1_entries
    image = Qcow2Image.open(file, writable=True)
    with pytest.raises(ImageError, match="more L2 tables than the file has"):
        image.snapshots.create("a")
    assert len(image._map.l2.tables) == 1


def test_the_l1_table_of_a_snapshot_ends_within_the_file() -> None:
    file, image = new()
    image.snapshots.create("a")
    at = image.header.snapshots_offset
    file.content[at + 8 : at + 12] = (1 << 22).to_bytes(4, "big")
    for request in (
        lambda: image.snapshots.apply("a"),
        lambda: image.snapshots.delete("a"),
        lambda: Qcow2Image.open(file, writable=False, snapshot="a"),
    ):
        with pytest.raises(ImageError, match="end beyond the file"):
            request()
