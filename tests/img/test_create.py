"""`blockops img create` makes the image that the real qemu-img makes, or refuses what it refuses."""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from blockops.errors import HostError, InvalidRequest
from blockops.host.api import LockMode
from blockops.host.posix import PosixFolder
from blockops.img.create import create
from blockops.img.options import ImageOptions
from tests.img.room import files_up_to
from tests.img.tools import done, ours, refused, run

Tool = Callable[[str], str]
pytestmark = pytest.mark.real_tool("qemu-img", "qemu-io")

GOOD = (
    "-f qcow2 image 1M",
    "-f qcow2 image 0",
    "-f qcow2 image 1000",
    "-f qcow2 image 1.5G",
    "-f qcow2 image 1T",
    "-f qcow2 -o cluster_size=2M image 5G",
    "-f qcow2 -o cluster_size=512 image 30M",
    "-f qcow2 -o cluster_size=4k,compat=0.10 image 30M",
    "-f qcow2 -o compat=1.1 -o cluster_size=4k image 30M",
    "-f qcow2 -o compat=v2 image 30M",
    "-f qcow2 -o cluster_size=512,cluster_size=1k image 3M",
    *(f"-f qcow2 -o refcount_bits={1 << order} image 3M" for order in range(7)),
    "-f qcow2 -o lazy_refcounts=on image 3M",
    "-f qcow2 -o lazy_refcounts=off,compression_type=zlib,extended_l2=off image 3M",
    "-f qcow2 -o compression_type=zstd image 3M",
    "-f qcow2 -o preallocation=off,size=3M image",
    *(f"-f qcow2 -o preallocation={mode} image 300k" for mode in ("metadata", "falloc", "full")),
    "-f qcow2 -o extended_l2=on image 3M",
    "-f qcow2 -o extended_l2=on,cluster_size=16k,preallocation=metadata image 3M",
    "-f qcow2 -b base.qcow2 -F qcow2 -o extended_l2=on,preallocation=metadata image",
    "-f qcow2 -o data_file=data image 3M",
    "-f qcow2 -o data_file=data,data_file_raw=on image 300k",
    "-f qcow2 -o data_file=data,preallocation=full image 300k",
    "-f qcow2 -b base.qcow2 -F qcow2 image",
    "-f qcow2 -b base.qcow2 -F qcow2 image 3M",
    "-f qcow2 -b base.raw -F raw image",
    "-f qcow2 -b base.qcow2 -F raw image",
    "-f qcow2 -o backing_file=base.raw,backing_fmt=raw image",
    "-f qcow2 -b base.qcow2 -F qcow2 sub/../image",
    "-f qcow2 -b ../base.qcow2 -F qcow2 sub/image",
    "-f qcow2 -u -b missing -F qcow2 image 1M",
    "-f qcow2 -u -b missing -F raw -o size=3M,cluster_size=4k,compat=0.10 image",
    "-f raw image 1M",
    "-f raw image 1000",
    "image 64k",
    "-f raw -o size=4k image",
    "-f raw -o preallocation=off image 4k",
    "-f raw -o preallocation=falloc image 300k",
    "-f raw -o preallocation=full image 300k",
    "-q -f qcow2 image 1M",
)

BAD = (
    "",
    "-f qcow2",
    "-f qcow2 image",
    "-f qcow2 image 1M 2M",
    "-f qcow2 image x",
    "-f qcow2 image 9E",
    "-f qcow2 image 8191P",
    "-f qcow2 -o cluster_size=512 image 1T",
    "-f qcow2 -o cluster_size=3000 image 1M",
    "-f qcow2 -o cluster_size=256 image 1M",
    "-f qcow2 -o cluster_size=4M image 1M",
    "-f qcow2 -o cluster_size=64k,,x image 1M",
    "-f qcow2 -o compat=0.9 image 1M",
    "-f qcow2 -o compat=0.10,lazy_refcounts=on image 1M",
    "-f qcow2 -o compat=0.10,refcount_bits=8 image 1M",
    "-f qcow2 -o compat=0.10,compression_type=zstd image 1M",
    "-f qcow2 -o compression_type=lzma image 1M",
    "-f qcow2 -o lazy_refcounts=maybe image 1M",
    "-f qcow2 -o refcount_bits=3 image 1M",
    "-f qcow2 -o refcount_bits=128 image 1M",
    "-f qcow2 -o refcount_bits=0 image 1M",
    "-f qcow2 -o preallocation=some image 1M",
    "-f qcow2 -o nothing=1 image 1M",
    "-f qcow2 -o size=2M image 1M",
    "-f qcow2 -o extended_l2=on,cluster_size=8k image 1M",
    "-f qcow2 -o extended_l2=on,compat=0.10 image 1M",
    "-f qcow2 -o data_file_raw=on image 1M",
    "-f qcow2 -o data_file=data,data_file_raw=on -b base.qcow2 -F qcow2 image 1M",
    "-f qcow2 -o data_file=data,compat=0.10 image 1M",
    "-f qcow2 -o preallocation=metadata -b base.qcow2 -F qcow2 image",
    "-f qcow2 -o data_file=image image 1M",
    "-f qcow2 -F qcow2 image 1M",
    "-f qcow2 -b missing -F qcow2 image",
    "-f qcow2 -b missing -F qcow2 image 1M",
    "-f qcow2 -b base.qcow2 image",
    "-f qcow2 -b base.qcow2 image 1M",
    "-f qcow2 -u -b missing image 1M",
    "-f qcow2 -u -b missing -F qcow2 image",
    "-f qcow2 -b base.raw -F qcow2 image",
    "-f qcow2 -b base.qcow2 -F qcow2 sub/image",
    "-f qcow2 -b image -F qcow2 image 1M",
    "-f qcow2 -b base.qcow2 -F qcow2 base.qcow2",
    "-f raw -b base.raw -F raw image 1M",
    "-f raw -o cluster_size=4k image 1M",
    "-f raw -o preallocation=metadata image 1M",
    "-f nothing image 1M",
    "-f qcow2 nowhere/image 1M",
    "-f qcow2 sub 1M",
    "-f qcow2 base.raw/image 1M",
)


@pytest.fixture(autouse=True)
def bases(real_tool: Tool, folder: Path) -> None:
    """Two images to lie over."""
    (folder / "sub").mkdir()
    done(real_tool("qemu-img"), "create", "-q", "-f", "qcow2", "base.qcow2", "700k")
    done(real_tool("qemu-img"), "create", "-q", "-f", "raw", "base.raw", "300001")
    done(real_tool("qemu-io"), "-c", "write -P 5 100k 200k", "base.qcow2")


def facts(real_tool: Tool, name: str) -> dict[str, object]:
    """What the real tool says of an image, but for the space that it takes."""
    found: dict[str, object] = json.loads(done(real_tool("qemu-img"), "info", "--output=json", name))
    found.pop("actual-size")
    return found


@pytest.mark.parametrize("arguments", GOOD)
def test_the_image_is_the_one_that_the_real_tool_makes(arguments: str, real_tool: Tool) -> None:
    name = next(word for word in arguments.split() if word.endswith("image"))
    mine = ours("create", *arguments.split())
    assert (mine.code, mine.err) == (0, "")
    qemu_img, made = real_tool("qemu-img"), facts(real_tool, name)
    if "-f qcow2" in arguments and "missing" not in arguments:
        assert run(qemu_img, "check", name).code == 0
    os.unlink(name)
    data = os.path.getsize("data") if Path("data").exists() else None
    if data is not None:
        os.unlink("data")
    real = run(qemu_img, "create", *arguments.split())
    assert mine.out == real.out
    assert made == facts(real_tool, name)
    assert data is None or data == os.path.getsize("data")
    assert not list(Path().rglob("*.unfinished"))


@pytest.mark.parametrize("arguments", BAD)
def test_what_the_real_tool_refuses_is_refused_and_nothing_is_left(
    arguments: str, real_tool: Tool, folder: Path
) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    refused(ours("create", *arguments.split()), 1)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()} == before
    assert run(real_tool("qemu-img"), "create", *arguments.split()).code == 1


@pytest.mark.parametrize("option", ["encrypt.format=luks", "encryption=on"])
def test_what_cannot_be_created_is_refused_by_name(option: str) -> None:
    refused(ours("create", "-f", "qcow2", "-o", option, "image", "1M"), 1, option, "not supported")


@pytest.mark.parametrize("format", ["qcow2", "raw"])
def test_help_for_options_lists_those_that_the_real_tool_has_too(format: str, real_tool: Tool) -> None:
    mine = ours("create", "-f", format, "-o", "help")
    real = run(real_tool("qemu-img"), "create", "-f", format, "-o", "help", "image")
    names = [line.split()[0] for line in mine.out.splitlines()[1:]]
    assert mine.code == 0
    assert names
    assert [name for name in names if f"  {name}=<" not in real.out] == []


def test_what_is_there_already_is_replaced_and_keeps_its_permissions(folder: Path) -> None:
    (folder / "image").write_bytes(b"x" * 1000)
    (folder / "image").chmod(0o640)
    (folder / "link").symlink_to("image")
    assert ours("create", "-f", "qcow2", "link", "1M").code == 0
    assert (folder / "link").is_symlink()
    assert (folder / "image").stat().st_mode & 0o777 == 0o640
    assert ours("info", "--output=json", "image").json["virtual-size"] == 1 << 20


def test_an_image_in_use_is_not_replaced(folder: Path) -> None:
    ours("create", "-f", "qcow2", "image", "1M")
    before = (folder / "image").read_bytes()
    file = PosixFolder(folder).open("image", writable=False)
    file.lock(LockMode.SHARED)
    refused(ours("create", "-f", "qcow2", "image", "2M"), 1, "image", "lock")
    file.close()
    assert (folder / "image").read_bytes() == before


def test_what_a_killed_process_left_is_taken_over(folder: Path) -> None:
    for format in ("qcow2", "raw"):
        (folder / "image.unfinished").write_bytes(b"x" * 1000000)
        assert ours("create", "-f", format, "image", "1M").code == 0
    assert (folder / "image").read_bytes() == bytes(1 << 20)
    assert sorted(path.name for path in folder.iterdir()) == ["base.qcow2", "base.raw", "image", "sub"]


@pytest.mark.parametrize("format", ["raw", "qcow2"])
def test_without_room_the_old_image_stays_and_nothing_new_is_left(format: str, folder: Path) -> None:
    (folder / "image").write_bytes(b"precious")
    with files_up_to(100_000):
        refused(ours("create", "-f", format, "image", "1M"), 1, "image", os.strerror(errno.EFBIG))
    assert (folder / "image").read_bytes() == b"precious"
    assert not (folder / "image.unfinished").exists()


def test_the_library_creates_and_returns_the_size(folder: Path) -> None:
    made = create(
        PosixFolder(folder), "image", "qcow2", ImageOptions(backing_file="base.raw", backing_format="raw")
    )
    assert made.size == 300032
    with pytest.raises(InvalidRequest, match="needs a size"):
        create(PosixFolder(folder), "image", "raw", ImageOptions())
    with pytest.raises(HostError):
        create(PosixFolder(folder), "nowhere/image", "raw", ImageOptions(size=5))
