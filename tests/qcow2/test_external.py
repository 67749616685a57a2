"""External data files: the real tools' are read and written equal, ours are clean and equal to them."""

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blockops.errors import HostError, ImageError, InvalidRequest, UnsupportedFeature
from blockops.graph.formats import Opening, open_node
from blockops.graph.graph import Graph
from blockops.host.posix import PosixFolder
from blockops.qcow2.check import Verdict, check
from blockops.qcow2.create import create
from blockops.qcow2.image import Qcow2Image
from blockops.qcow2.preallocation import preallocate
from blockops.qcow2.repair import repair
from tests.qcow2.files import BytesFile, Failure
from tests.qcow2.guest import Action, Step, expect, pattern, perform, steps
from tests.qcow2.real import Tool, agree, contents, run

DISK = 320 * 1024
OPTIONS = [
    "cluster_size=4k",
    "cluster_size=64k",
    "cluster_size=16k,extended_l2=on",
    "cluster_size=4k,data_file_raw=on",
    "cluster_size=16k,extended_l2=on,data_file_raw=on",
]
WORK: tuple[Action, ...] = ("write", "write", "write", "zero", "discard", "flush")


def open_real(folder: Path) -> Qcow2Image:
    """Open `i.qcow2` of a folder as the graph does."""
    node = open_node(Graph(), PosixFolder(str(folder)), "i.qcow2", "qcow2", Opening())
    assert isinstance(node.image, Qcow2Image)
    return node.image


@pytest.mark.real_tool("qemu-img", "qemu-io")
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("seed", range(3))
def test_a_real_image_with_a_data_file_reads_and_writes_equal(
    tmp_path: Path, real_tool: Tool, options: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    chance, path = random.Random(f"{options}{seed}"), tmp_path / "i.qcow2"
    run(
        real_tool("qemu-img"),
        "create",
        "-f",
        "qcow2",
        "-o",
        f"data_file=d.raw,{options}",
        "i.qcow2",
        str(DISK),
    )
    commands = []
    for _ in range(8):
        offset, length = chance.randrange(DISK // 512 - 90), chance.choice((1, 2, 33, 90))
        verb = chance.choice(("write -P 7", "write -P 9", "write -z", "write -z -u", "discard"))
        commands += ["-c", f"{verb} {offset * 512} {length * 512}"]
    run(real_tool("qemu-io"), *commands, "i.qcow2")
    model = bytearray(contents(real_tool, path))
    agree(real_tool, path)
    image = open_real(tmp_path)
    assert image.read(0, DISK) == model
    for number in range(25):
        offset, length = chance.randrange(DISK - 70_000), chance.choice((1, 512, 3000, 20_000, 70_000))
        if number % 4 == 3:
            image.write_zeroes(offset, length)
            model[offset : offset + length] = bytes(length)
        else:
            image.write(offset, pattern(number, length))
            model[offset : offset + length] = pattern(number, length)
        assert image.read(0, DISK) == model
    image.resize(2 * DISK)
    model.extend(bytes(DISK))
    image.close()
    agree(real_tool, path)
    assert contents(real_tool, path) == model
    if "raw=on" in options:
        assert (tmp_path / "d.raw").read_bytes() == model
        assert image.header.autoclear == 2


# --------------------------------------------------------------------------------------------- our own


def made(size: int = DISK, **options: object) -> tuple[BytesFile, BytesFile]:
    """Create an image and its data file, preallocated where it must be."""
    file, data = BytesFile(), BytesFile(path="/vm/d.raw")
    create(file, size=size, **{"data_file": "d.raw", **options})  # type: ignore[arg-type]  # whatever it takes
    if options.get("data_file_raw"):
        preallocate(file, "metadata", data_file=data)
    return file, data


def reopened(file: BytesFile, data: BytesFile, *, writable: bool = True) -> Qcow2Image:
    file.closed = data.closed = False
    return Qcow2Image.open(file, writable=writable, data_file=lambda _: data)


@pytest.mark.real_tool("qemu-img")
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cluster_size=st.sampled_from([512, 4096, 16384]),
    raw=st.booleans(),
    extended=st.booleans(),
    work=st.lists(steps(WORK), max_size=12),
)
def test_the_real_tool_finds_our_images_clean_and_equal(
    tmp_path: Path, real_tool: Tool, cluster_size: int, raw: bool, extended: bool, work: list[Step]
) -> None:
    extended = extended and cluster_size == 16384
    name = str(tmp_path / "d.raw")
    file, data = made(data_file=name, cluster_size=cluster_size, data_file_raw=raw, extended_l2=extended)
    image, model = reopened(file, data), bytearray(DISK)
    for step in work:
        perform(step, image)
        expect(step, model, cluster_size)
        assert image.read(0, DISK) == model
    image.close()
    path = tmp_path / "i.qcow2"
    path.write_bytes(file.content)
    (tmp_path / "d.raw").write_bytes(data.content)
    agree(real_tool, path)
    assert contents(real_tool, path) == model
    assert not raw or data.content == model


def test_the_data_is_durable_before_a_table_says_that_it_is_there() -> None:
    file, data = made()
    image = reopened(file, data)
    data.changes.clear()
    file.changes.clear()
    image.write(0, b"x" * 70_000)
    image.flush()
    assert [change[0] for change in data.changes] == ["write", "flush"]
    order: list[str] = []
    image.write(200_000, b"y")
    for each, name in ((file, "image"), (data, "data")):
        each.changes = _Noting(order, name)  # type: ignore[assignment]  # a list that tells
    image.flush()
    assert order[0] == "data flush"
    assert "image write" in order


class _Noting(list[object]):
    def __init__(self, order: list[str], name: str) -> None:
        super().__init__()
        self._order, self._name = order, name

    def append(self, change: object) -> None:
        assert isinstance(change, tuple)
        self._order.append(f"{self._name} {change[0]}")


@pytest.mark.parametrize("failure", Failure)
@pytest.mark.parametrize("which", [0, 1])
def test_one_failure_anywhere_loses_nothing_that_was_acknowledged(failure: Failure, which: int) -> None:
    work = [
        Step("write", 0, 500, 3),
        Step("flush", 0, 0, 1),
        Step("zero", 200, 300, 4),
        Step("write", 100, 300, 9),
    ]
    for index in range(40):
        files = made(cluster_size=4096)
        image, model = reopened(*files), bytearray(DISK)
        for each in files:
            each.changes.clear()
            each.durable = bytes(each.content)
        files[which].fail_at, files[which].failure = index, failure
        for step in work:
            before = bytes(model)
            expect(step, model, 4096)
            try:
                perform(step, image)
            except HostError:
                found = image.read(0, DISK)
                assert all(now in pair for now, *pair in zip(found, before, model, strict=True))
                model[:] = found
        try:
            image.close()
        except HostError:
            continue
        assert reopened(*files).read(0, DISK) == model
        assert check(files[0]).verdict in (Verdict.CLEAN, Verdict.LEAKS)


def test_what_an_external_data_file_forbids_is_refused() -> None:
    file, data = made()
    image = reopened(file, data)
    with pytest.raises(UnsupportedFeature, match="compressing into an external data file"):
        image.write_compressed(0, bytes(65536))
    with pytest.raises(UnsupportedFeature, match="internal snapshots with an external data file"):
        image.snapshots.create("a")
    with pytest.raises(InvalidRequest, match="data file is needed"):
        Qcow2Image.open(file, writable=False)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"data_file": "d", "version": 2}, "version 2"),
        ({"data_file_raw": True}, "needs a name"),
        ({"data_file": "d", "data_file_raw": True, "backing_file": "b"}, "backing file"),
    ],
)
def test_what_cannot_be_created_is_refused_before_anything_is_written(
    options: dict[str, object], says: str
) -> None:
    file = BytesFile()
    with pytest.raises(InvalidRequest, match=says):
        create(file, size=1 << 20, **options)  # type: ignore[arg-type]  # one of them
    assert file.changes == []


@pytest.mark.parametrize("entry", [(1 << 63) | 65536, 1 << 62 | 99, (1 << 63) | 512])
def test_a_cluster_elsewhere_in_the_data_file_is_named(entry: int) -> None:
    file, data = made()
    image = reopened(file, data)
    image.write(0, b"x" * DISK)
    image.close()
    l2 = int.from_bytes(file.content[image.header.l1_offset :][:8], "big") & ~(1 << 63)
    file.content[l2 + 16 : l2 + 24] = entry.to_bytes(8, "big")
    again, before = reopened(file, data), bytes(file.content)
    for request in (lambda: again.read(2 * 65536, 5), lambda: again.write(2 * 65536, b"y")):
        with pytest.raises(ImageError) as error:
            request()
        assert error.value.structure == "L2 table"
    with pytest.raises(ImageError):
        repair(file)
    assert check(file).verdict is Verdict.CORRUPT
    assert file.content == before


def test_a_missing_data_file_is_named(tmp_path: Path) -> None:
    file, _ = made()
    (tmp_path / "i.qcow2").write_bytes(file.content)
    with pytest.raises(HostError, match=r"d\.raw.*No such file"):
        open_real(tmp_path)
