"""Real clients judge: libnbd's tools and QEMU's, unmodified, on images on disk."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from blockops.host.posix import PosixFolder
from blockops.machine import Machine
from tests.nbd.client import MIB
from tests.nbd.serving import Served, served

Tool = Callable[[str], str]
SIZE = 6 << 30  # offsets beyond 4 GiB
pytestmark = pytest.mark.real_tool("qemu-img", "qemu-io")


def told(*command: str | Path) -> str:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done
    return done.stdout


@pytest.fixture
def chain(tmp_path: Path, real_tool: Tool) -> Iterator[Served]:
    """A sparse disk of 6 GiB: an overlay over a shorter base, some of each written."""
    img, io = real_tool("qemu-img"), real_tool("qemu-io")
    base, top = tmp_path / "base", tmp_path / "top"
    told(img, "create", "-q", "-f", "qcow2", base, str(5 << 30))
    told(io, "-c", "write -P 1 1M 3M", "-c", "write -P 2 4500M 1M", "-c", "write -z 2M 64k", base)
    told(img, "create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", top, str(SIZE))
    told(io, "-c", "write -P 3 3M 2M", "-c", "write -P 4 5600M 64k", top)
    machine = Machine(PosixFolder(tmp_path))
    machine.attach("d0", "top", "qcow2")
    with served(machine, tmp_path / "socket") as running:
        yield running


def ranges(found: list[dict[str, Any]], *keys: str) -> list[list[Any]]:
    """The extents of a map with neighbours alike made one, as start and *keys*."""
    result: list[list[Any]] = []
    for one in found:
        values = [one[key] for key in keys]
        if not result or result[-1][1:] != values:
            result.append([one.get("start", one.get("offset")), *values])
    return result


@pytest.mark.real_tool("nbdinfo")
def test_nbdinfo_sees_the_size_the_abilities_and_the_map(chain: Served, real_tool: Tool) -> None:
    (export,) = json.loads(told(real_tool("nbdinfo"), "--json", chain.uri()))["exports"]
    assert export["export-size"] == SIZE
    assert export["contexts"] == ["base:allocation"]
    able = {name for name, value in export.items() if value is True and name.startswith("can_")}
    assert able == {"can_df", "can_flush", "can_fua", "can_multi_conn", "can_trim", "can_zero"}
    listed = json.loads(told(real_tool("nbdinfo"), "--json", "--list", f"nbd+unix://?socket={chain.path}"))
    assert [one["export-name"] for one in listed["exports"]] == ["d0"]
    mapped = json.loads(told(real_tool("nbdinfo"), "--json", "--map", chain.uri()))
    of_file = json.loads(told(real_tool("qemu-img"), "map", "-U", "--output=json", chain.path.parent / "top"))
    of_file = [{**one, "type": (0 if one["data"] else 1) | (2 if one["zero"] else 0)} for one in of_file]
    assert ranges(mapped, "type") == ranges(of_file, "type")


def test_qemu_sees_the_map_of_the_file_through_the_export(chain: Served, real_tool: Tool) -> None:
    img = real_tool("qemu-img")
    ours, theirs = (
        json.loads(told(img, "map", "-U", "--output=json", name))
        for name in (chain.uri(), chain.path.parent / "top")
    )
    assert ranges(ours, "data", "zero") == ranges(theirs, "data", "zero")


def test_what_qemu_io_does_is_in_the_image(chain: Served, real_tool: Tool) -> None:
    commands = (
        "read -P 3 3M 2M",
        "read -P 0 2M 64k",
        "write -P 5 1000 70000",
        "write -P 6 5G 32M",
        "write -z -u 5121M 1M",
        "write -z 5123M 100k",
        "discard 5125M 1M",
        "write -f -P 7 5599M 1536k",
        "aio_write -P 8 100M 1M",
        "aio_write -P 9 102M 1M",
        "aio_flush",
        "flush",
        "read -P 9 102M 1M",
    )
    arguments = [part for command in commands for part in ("-c", command)]
    told(real_tool("qemu-io"), "-f", "raw", *arguments, chain.uri())
    chain.call(chain.machine.flush_all)
    img, top, flat = real_tool("qemu-img"), chain.path.parent / "top", chain.path.parent / "flat"
    told(img, "check", "-U", top)
    told(img, "compare", "-U", "-f", "raw", "-F", "qcow2", chain.uri(), top)
    told(img, "convert", "-U", "-f", "qcow2", "-O", "raw", top, flat)
    with flat.open("rb") as file:
        for offset, length, byte in (
            (1000, 70000, 5),
            (5 << 30, MIB, 6),
            ((5 << 30) + MIB, MIB, 0),
            ((5 << 30) + 2 * MIB, MIB, 6),
            ((5 << 30) + 3 * MIB, 100 << 10, 0),
            (5599 * MIB, 1536 << 10, 7),
            (100 * MIB, MIB, 8),
        ):
            file.seek(offset)
            assert file.read(length) == bytes([byte]) * length


@pytest.mark.real_tool("nbdcopy")
def test_nbdcopy_takes_out_and_puts_in(chain: Served, real_tool: Tool) -> None:
    """It opens several connections, has many requests in flight on each, and asks where holes are."""
    copy, img, folder = real_tool("nbdcopy"), real_tool("qemu-img"), chain.path.parent
    told(copy, chain.uri(), folder / "out.raw")
    told(img, "compare", "-U", "-f", "raw", "-F", "qcow2", folder / "out.raw", folder / "top")
    assert (folder / "out.raw").stat().st_blocks * 512 < 64 * MIB
    told(real_tool("qemu-io"), "-f", "raw", "-c", "write -P 77 3000M 5M", folder / "out.raw")
    told(copy, "--flush", folder / "out.raw", chain.uri())
    told(img, "compare", "-U", "-f", "raw", "-F", "qcow2", folder / "out.raw", folder / "top")


def test_qemu_img_converts_to_an_export_and_from_it(chain: Served, real_tool: Tool, tmp_path: Path) -> None:
    img = real_tool("qemu-img")
    told(img, "convert", "-f", "raw", "-O", "qcow2", chain.uri(), tmp_path / "copy")
    told(img, "compare", "-U", "-f", "qcow2", "-F", "qcow2", tmp_path / "copy", tmp_path / "top")
    told(real_tool("qemu-io"), "-c", "write -P 78 900M 5M", tmp_path / "copy")
    told(img, "convert", "-n", "-f", "qcow2", "-O", "raw", tmp_path / "copy", chain.uri())
    chain.call(chain.machine.flush_all)
    told(img, "compare", "-U", "-f", "qcow2", "-F", "qcow2", tmp_path / "copy", tmp_path / "top")
    told(img, "check", "-U", tmp_path / "top")
