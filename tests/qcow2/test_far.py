"""Large numbers: host offsets beyond 4 GiB, L1 tables of many clusters, odd sizes, and what nobody knows."""

from pathlib import Path

import attrs
import pytest

from blockops.host.posix import PosixFolder
from blockops.qcow2.check import check
from blockops.qcow2.create import create
from blockops.qcow2.header import Extension, encode, read_header
from blockops.qcow2.image import Qcow2Image
from blockops.qcow2.repair import repair
from blockops.units import GIB, KIB
from tests.qcow2.files import BytesFile
from tests.qcow2.guest import pattern
from tests.qcow2.real import Tool, agree, opened, run
from tests.qcow2.small import take_new_clusters_from


def made(path: Path, **options: int | bool | str) -> Path:
    file = PosixFolder(str(path.parent)).create(path.name, replace=True)
    create(file, **options)  # type: ignore[arg-type]  # whatever it takes
    file.close()
    return path


def real_bytes(real_tool: Tool, path: Path, offset: int, length: int, *format: str) -> bytes:
    """Return what the real tool reads of a disk that is too large to be copied."""
    piece = path.with_suffix(".piece")
    run(
        real_tool("qemu-img"),
        *(
            "dd",
            "-f",
            "qcow2",
            "-O",
            "raw",
            "bs=512",
            f"skip={offset // 512}",
            f"count={(offset + length) // 512}",
        ),
        *(f"if={path}", f"of={piece}"),
    )
    return piece.read_bytes()


@pytest.mark.real_tool("qemu-img", "zstandard")
@pytest.mark.parametrize("cluster_size", [512, 64 * KIB, 2048 * KIB])
@pytest.mark.parametrize("extended", [False, True])
def test_clusters_lie_beyond_4_gib_of_the_file(
    tmp_path: Path, real_tool: Tool, cluster_size: int, extended: bool
) -> None:
    extended = extended and cluster_size > 512
    path = made(tmp_path / "i.qcow2", size=16 * GIB, cluster_size=cluster_size, extended_l2=extended)
    far = 9 * GIB
    with path.open("r+b") as file:
        file.truncate(far)
    image = opened(path, writable=True)
    take_new_clusters_from(image, far)
    places = (0, 5 * GIB, 16 * GIB - 4096)
    for number, offset in enumerate(places, 1):
        image.write(offset, pattern(number, 4096))
    image.write_compressed(8 * GIB, pattern(9, cluster_size))
    image.snapshots.create("far")
    image.write(0, pattern(7, 512))
    image.close()
    agree(real_tool, path)
    again = opened(path)
    assert again.read(0, 4096) == pattern(7, 512) + pattern(1, 4096)[512:]
    for number, offset in enumerate(places[1:], 2):
        assert again.read(offset, 4096) == real_bytes(real_tool, path, offset, 4096) == pattern(number, 4096)
    assert again.read(8 * GIB, cluster_size) == real_bytes(real_tool, path, 8 * GIB, cluster_size)
    shown = Qcow2Image.open(again._file._file, writable=False, snapshot="far")
    assert shown.read(0, 4096) == pattern(1, 4096)


@pytest.mark.real_tool("qemu-img")
def test_an_l1_table_of_many_clusters_is_written_moved_and_kept_by_snapshots(
    tmp_path: Path, real_tool: Tool
) -> None:
    path = made(tmp_path / "i.qcow2", size=GIB + 512, cluster_size=512)
    image = opened(path, writable=True)
    assert image.header.l1_entries * 8 > 500 * 512
    places = [number * 37 * KIB * KIB // 3 // 512 * 512 for number in range(80)]
    for number, offset in enumerate(places):
        image.write(offset, pattern(number + 1, 700))
    image.snapshots.create("before")
    image.resize(3 * GIB)
    image.write(3 * GIB - 512, pattern(200, 512))
    image.write(places[40], pattern(199, 700))
    image.close()
    agree(real_tool, path)
    again = opened(path, writable=True)
    for number, offset in enumerate(places):
        seed = 199 if number == 40 else number + 1
        assert again.read(offset, 700) == pattern(seed, 700)
    assert real_bytes(real_tool, path, 3 * GIB - 512, 512) == pattern(200, 512)
    again.snapshots.apply("before")
    assert again.size == GIB + 512
    assert again.read(places[40], 700) == pattern(41, 700)
    again.close()
    agree(real_tool, path)


@pytest.mark.parametrize("version", [2, 3])
def test_what_nobody_knows_of_a_header_survives_all_that_is_done(version: int) -> None:
    file = BytesFile()
    create(file, size=1 << 20, cluster_size=4096, version=version, backing_file="base.raw")
    unknown = Extension(0xABCDEF01, b"something else"), Extension(0x12345678, b"")
    header = attrs.evolve(read_header(file), extensions=unknown)
    if version == 3:
        header = attrs.evolve(header, compatible=1 << 40, additional=bytes(8) + b"\7" * 8)
    data = encode(header)
    file.content[: len(data)] = data
    known = read_header(file)
    image = Qcow2Image.open(file, writable=True)
    image.write(5, b"x" * 9000)
    image.resize(2 << 20)
    if version == 3:
        image.snapshots.create("a")
        image.snapshots.apply("a")
    image.close()
    file.closed = False
    file.content[4096 * 2] ^= 1
    repair(file)
    found = read_header(file)
    assert (found.extensions, found.additional, found.compatible) == (
        unknown,
        known.additional,
        known.compatible,
    )
    assert found.backing_file == "base.raw"
    assert not check(file).corruptions


@pytest.mark.real_tool("qemu-img")
@pytest.mark.parametrize("size", [512, 1024 * 3 + 512, 65536 - 512, 65536 + 512, (1 << 31) - 512])
@pytest.mark.parametrize("extended", [False, True])
def test_odd_sizes_are_read_and_written_to_their_last_sector(
    tmp_path: Path, real_tool: Tool, size: int, extended: bool
) -> None:
    path = made(tmp_path / "i.qcow2", size=size, extended_l2=extended)
    image = opened(path, writable=True)
    image.write(size - 512, b"e" * 512)
    image.write_zeroes(size - 100, 50)
    image.close()
    agree(real_tool, path)
    wanted = b"e" * 412 + bytes(50) + b"e" * 50
    assert opened(path).read(size - 512, 512) == real_bytes(real_tool, path, size - 512, 512) == wanted
