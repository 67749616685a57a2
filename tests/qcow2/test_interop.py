"""The real tools and we agree: they find our images clean and equal, we read theirs as they do."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blockops.errors import UnsupportedFeature
from blockops.host.posix import PosixFolder
from blockops.qcow2.check import check
from blockops.qcow2.create import create
from blockops.qcow2.image import Qcow2Image
from tests.qcow2.guest import CLUSTER_SIZES, Step, expect, perform, steps

Tool = Callable[[str], str]
RealImage = Callable[..., None]
FOLDER_FOR_ALL_EXAMPLES = [HealthCheck.function_scoped_fixture]
DISK = 300 * 512


def run(*command: str | Path) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def opened(folder: PosixFolder, *names: str, writable: bool = False) -> Qcow2Image:
    """Open a chain, the base first; only the last is writable."""
    image = None
    for name in names:
        last = writable and name == names[-1]
        image = Qcow2Image.open(folder.open(name, writable=last), writable=last, backing=image)
    assert image is not None
    return image


def contents(real_tool: Tool, path: Path) -> bytes:
    """Return what the real tool reads from an image and its chain."""
    raw = path.with_suffix(".raw")
    run(real_tool("qemu-img"), "convert", "-O", "raw", path, raw)
    return raw.read_bytes()


# ------------------------------------------------------------------------------------ ours, read by them


@pytest.mark.real_tool("qemu-img")
@settings(max_examples=40, suppress_health_check=FOLDER_FOR_ALL_EXAMPLES)
@given(
    version=st.sampled_from([2, 3]),
    cluster_size=st.sampled_from(CLUSTER_SIZES),
    layers=st.lists(st.tuples(st.integers(0, 600), st.lists(steps(), max_size=12)), min_size=1, max_size=3),
)
def test_the_real_tool_finds_our_chains_clean_and_equal(
    tmp_path: Path, real_tool: Tool, version: int, cluster_size: int, layers: list[tuple[int, list[Step]]]
) -> None:
    folder = PosixFolder(str(tmp_path))
    model = bytearray()
    names: list[str] = []
    for sectors, work in layers:
        size = sectors * 512
        below: dict[str, Any] = {"backing_file": names[-1], "backing_format": "qcow2"} if names else {}
        names.append(f"{len(names)}.qcow2")
        file = folder.create(names[-1], replace=True)
        create(file, size=size, cluster_size=cluster_size, version=version, **below)
        file.close()
        model = bytearray(model[:size].ljust(size, b"\0"))
        image = opened(folder, *names, writable=True)
        for step in work:
            perform(step, image)
            expect(step, model, cluster_size)
        image.close()
        run(real_tool("qemu-img"), "check", tmp_path / names[-1])
    assert contents(real_tool, tmp_path / names[-1]) == model


@pytest.mark.real_tool("qemu-img")
@pytest.mark.parametrize("cluster_size", [512 << shift for shift in range(13)])
@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("size", [0, 512, 1 << 20, (1 << 30) + 512, 1 << 37])
def test_the_real_tool_accepts_every_shape_that_we_create(
    tmp_path: Path, real_tool: Tool, cluster_size: int, version: int, size: int
) -> None:
    file = PosixFolder(str(tmp_path)).create("new.qcow2", replace=True)
    create(file, size=size, cluster_size=cluster_size, version=version)
    run(real_tool("qemu-img"), "check", tmp_path / "new.qcow2")
    assert f'"virtual-size": {size},' in run(real_tool("qemu-img"), "info", "--output=json", file.path)
    assert not check(file).corruptions
    assert not check(file).leaks


@pytest.mark.real_tool("qemu-img", "qemu-io")
def test_the_real_tool_writes_on_where_we_stopped_and_we_where_it_stopped(
    tmp_path: Path, real_tool: Tool
) -> None:
    folder = PosixFolder(str(tmp_path))
    create(folder.create("i.qcow2", replace=False), size=1 << 20, cluster_size=4096)
    model = bytearray(1 << 20)
    for turn in range(1, 6):
        image = opened(folder, "i.qcow2", writable=True)
        image.write(turn * 70001, bytes([turn]) * 50001)
        image.close()
        model[turn * 70001 : turn * 70001 + 50001] = bytes([turn]) * 50001
        run(real_tool("qemu-io"), "-c", f"write -P {turn + 100} {turn * 102400} 51200", tmp_path / "i.qcow2")
        model[turn * 102400 : turn * 102400 + 51200] = bytes([turn + 100]) * 51200
        run(real_tool("qemu-img"), "check", tmp_path / "i.qcow2")
    assert opened(folder, "i.qcow2").read(0, 1 << 20) == model
    assert contents(real_tool, tmp_path / "i.qcow2") == model


# ------------------------------------------------------------------------------------ theirs, read by us

OPTIONS = [
    *(f"cluster_size={512 << shift}" for shift in range(13)),
    *(f"refcount_bits={1 << order}" for order in range(7)),
    *(f"refcount_bits={1 << order},cluster_size=512" for order in range(7)),
    "compat=0.10",
    "compat=0.10,cluster_size=1024",
    "compat=1.1,lazy_refcounts=on",
    "preallocation=metadata",
    "preallocation=full,cluster_size=4096",
    "preallocation=falloc",
]


def real_work(real_tool: Tool, path: Path, seed: int) -> None:
    """Let the real tool write data, zeros and holes."""
    commands = (
        f"write -P {seed} 1000 70000",
        f"write -P {seed + 1} 130048 512",
        "write -z 65536 8192",
        "discard 12288 20480",
        f"write -P {seed + 2} 20000 300",
        "write -z -u 131072 4096",
    )
    run(real_tool("qemu-io"), *(part for one in commands for part in ("-c", one)), path)


@pytest.mark.real_tool("qemu-img", "qemu-io")
@pytest.mark.parametrize("options", OPTIONS)
def test_an_image_that_the_real_tool_wrote_reads_and_writes_equal(
    tmp_path: Path, real_tool: Tool, options: str
) -> None:
    folder = PosixFolder(str(tmp_path))
    path = tmp_path / "i.qcow2"
    run(real_tool("qemu-img"), "create", "-f", "qcow2", "-o", options, path, str(DISK))
    real_work(real_tool, path, 10)
    model = bytearray(contents(real_tool, path))
    image = opened(folder, "i.qcow2", writable=True)
    assert image.read(0, DISK) == model
    for offset, length in ((0, 3000), (100_000, 40_000), (70_000, 1)):
        image.write(offset, b"\x77" * length)
        model[offset : offset + length] = b"\x77" * length
    image.discard(80_000, 30_000)
    model[80_000:110_000] = bytes(30_000)
    image.resize(DISK + (5 << 20))
    image.write(DISK, b"\x55" * (5 << 20))
    model.extend(b"\x55" * (5 << 20))
    image.close()
    run(real_tool("qemu-img"), "check", path)
    assert contents(real_tool, path) == model
    assert opened(folder, "i.qcow2").read(0, len(model)) == model


@pytest.mark.real_tool("qemu-img", "qemu-io")
@pytest.mark.parametrize("options", ["compat=0.10", "compat=1.1", "cluster_size=512", "cluster_size=2M"])
@pytest.mark.parametrize("sizes", [(DISK, DISK, DISK), (DISK, 2 * DISK, DISK), (2 * DISK, DISK, 3 * DISK)])
def test_a_chain_that_the_real_tool_wrote_reads_and_writes_equal(
    tmp_path: Path, real_tool: Tool, options: str, sizes: tuple[int, ...]
) -> None:
    names: list[str] = []
    for level, size in enumerate(sizes):
        below = ["-b", names[-1], "-F", "qcow2"] if names else []
        names.append(f"{level}.qcow2")
        path = tmp_path / names[-1]
        run(real_tool("qemu-img"), "create", "-f", "qcow2", "-o", options, *below, path, str(size))
        run(real_tool("qemu-io"), "-c", f"write -P {level + 1} {level * 30000} 40000", path)
        run(real_tool("qemu-io"), "-c", f"write -z {20000 + level * 7000} 3000", path)
    model = bytearray(contents(real_tool, tmp_path / names[-1]))
    image = opened(PosixFolder(str(tmp_path)), *names, writable=True)
    assert image.read(0, sizes[-1]) == model
    image.write(50_001, b"\x99" * 4000)
    image.discard(90_000, 10_000)
    image.close()
    model[50_001:54_001] = b"\x99" * 4000
    model[90_000:100_000] = bytes(10_000)
    run(real_tool("qemu-img"), "check", tmp_path / names[-1])
    assert contents(real_tool, tmp_path / names[-1]) == model


REFUSED = {
    "encrypt.format=aes,encrypt.key-secret=s": "encryption (AES)",
}


@pytest.mark.real_tool("qemu-img")
@pytest.mark.parametrize("options", REFUSED)
def test_what_is_not_supported_is_refused_by_name(
    tmp_path: Path, real_tool: Tool, options: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    secret = ["--object", "secret,id=s,data=key"] if "encrypt" in options else []
    run(real_tool("qemu-img"), "create", *secret, "-f", "qcow2", "-o", options, "i.qcow2", "1M")
    with pytest.raises(UnsupportedFeature) as refusal:
        opened(PosixFolder(str(tmp_path)), "i.qcow2")
    assert refusal.value.feature == REFUSED[options]
