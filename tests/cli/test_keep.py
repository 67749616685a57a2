"""`blockops replay --keep`: the images of a case as real files, for the real qemu-img to look at."""

import json
import resource
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from blockops.graph.formats import NewImage, create_image
from blockops.host.memory import MemoryDisk, MemoryFolder
from blockops.lab.keeping import write_out
from blockops.lab.replay import watch
from tests.cli.program import assert_refused, files_in, run
from tests.lab.cases import case

LIVED = "naive-loop.as-posted.naive/group-snapshot-2/eio@46"
KILLED = "freeze.as-posted.careful/migrate-many-2/kill@step-150"

Tool = Callable[[str], str]


def said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def chain(tool: str, image: Path) -> list[str]:
    """What qemu-img opens, top first, as names relative to the folder of *image*."""
    opened = json.loads(said(tool, "info", "--backing-chain", "--output=json", str(image)))
    return [str(Path(one["filename"]).resolve()) for one in opened]


@pytest.mark.real_tool("qemu-img")
def test_of_a_case_that_lived_qemu_img_reads_what_the_devices_show(tmp_path: Path, real_tool: Tool) -> None:
    tool = real_tool("qemu-img")
    folder = tmp_path / "new" / "kept"
    done = run("replay", LIVED, "--keep", folder)
    assert done.returncode == 0, done
    assert done.stdout == run("replay", LIVED).stdout
    assert "are relative there" in done.stderr
    assert files_in(folder) == ["images"]
    images = folder / "images"
    assert files_in(images) == ["d0.qcow2", "d1.qcow2", "dst", "management", "s0.qcow2", "s1.qcow2"]
    assert chain(tool, images / "s0.qcow2") == [str(images / name) for name in ("s0.qcow2", "d0.qcow2")]
    for number, shown in enumerate(watch(case(LIVED)).evidence.live):
        assert shown.top is not None
        image, raw = images / Path(shown.top).name, tmp_path / f"{number}.raw"
        assert "No errors" in said(tool, "check", str(image))
        said(tool, "convert", "-O", "raw", str(image), str(raw))
        assert raw.read_bytes()[: len(shown.data)] == shown.data


@pytest.mark.real_tool("qemu-img")
def test_of_a_killed_case_there_is_what_the_kill_left_and_what_the_recovery_left(
    tmp_path: Path, real_tool: Tool
) -> None:
    tool = real_tool("qemu-img")
    done = run("replay", KILLED, "--keep", tmp_path)
    assert done.returncode == 0, done
    assert files_in(tmp_path) == ["crashed", "recovered"]
    replayed = watch(case(KILLED))
    assert replayed.crashed is not None
    assert replayed.crashed.digest() != replayed.evidence.disk.digest()  # else the two folders prove nothing
    for name, disk in {"crashed": replayed.crashed, "recovered": replayed.evidence.disk}.items():
        kept = [
            str(path.relative_to(tmp_path / name)) for path in (tmp_path / name).rglob("*") if path.is_file()
        ]
        assert sorted(kept) == [path.removeprefix("/vm/") for path in disk.names("/vm")]
        notes = "management/notes.json"
        stored = MemoryFolder(disk).open(notes, writable=False)
        assert (tmp_path / name / notes).read_bytes() == stored.read(0, stored.size())
    below = tmp_path / "crashed" / "dst" / "s0.qcow2"
    assert chain(tool, below)[-1].startswith(str(tmp_path / "crashed"))


@pytest.mark.real_tool("qemu-img")
def test_a_name_in_another_folder_becomes_relative_and_other_names_stay(
    tmp_path: Path, real_tool: Tool
) -> None:
    disk = MemoryDisk()
    folder = MemoryFolder(disk)
    folder.make_folder("/vm/dst")
    for name, below in (
        ("/vm/d0.qcow2", None),
        ("/vm/dst/s0.qcow2", "/vm/d0.qcow2"),
        ("/vm/s1.qcow2", "/vm/dst/s0.qcow2"),
        ("/vm/beside.qcow2", "d0.qcow2"),
    ):
        create_image(folder, NewImage(name, "qcow2", 1 << 20, below, below and "qcow2"), durable=True)
    before = disk.digest()
    write_out(disk, tmp_path)
    assert disk.digest() == before
    opened = chain(real_tool("qemu-img"), tmp_path / "s1.qcow2")
    assert opened == [str(tmp_path / name) for name in ("s1.qcow2", "dst/s0.qcow2", "d0.qcow2")]
    kept, there = (tmp_path / "beside.qcow2").read_bytes(), folder.open("/vm/beside.qcow2", writable=False)
    assert kept == there.read(0, there.size())
    assert (tmp_path / "d0.qcow2").stat().st_blocks * 512 <= (tmp_path / "d0.qcow2").stat().st_size


def test_a_backing_name_that_climbs_out_of_the_world_is_left_as_it_is(tmp_path: Path) -> None:
    disk = MemoryDisk()
    folder = MemoryFolder(disk)
    create_image(folder, NewImage("d0.qcow2", "qcow2", 1 << 20), durable=True)
    create_image(folder, NewImage("s0.qcow2", "qcow2", 1 << 20, "/vm/d0.qcow2", "qcow2"), durable=True)
    image = folder.open("s0.qcow2", writable=True)
    name = b"/vm/../d.raw"
    image.write(image.read(0, 4096).index(b"/vm/d0.qcow2"), name)
    write_out(disk, tmp_path)
    assert name in (tmp_path / "s0.qcow2").read_bytes()


def test_a_folder_with_something_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "mine").write_text("mine")
    assert_refused(run("replay", LIVED, "--keep", tmp_path), 4, tmp_path, "not empty")
    assert files_in(tmp_path) == ["images"]
    assert (tmp_path / "images" / "mine").read_text() == "mine"


def test_where_the_case_is_refused_or_the_folder_cannot_be_nothing_is_left(tmp_path: Path) -> None:
    assert_refused(run("replay", "nonsense", "--keep", tmp_path / "new"), 4, "nonsense")
    (tmp_path / "file").write_text("mine")
    assert_refused(run("replay", LIVED, "--keep", tmp_path / "file"), 5, tmp_path / "file")
    assert files_in(tmp_path) == ["file"]


def test_where_the_disk_is_full_nothing_half_written_is_left(tmp_path: Path) -> None:
    def no_large_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = run("replay", LIVED, "--keep", tmp_path / "new", preexec_fn=no_large_files)
    assert_refused(done, 5, tmp_path / "new", "cannot be written")
    assert files_in(tmp_path) == []


def test_of_a_power_cut_there_is_what_survived_it() -> None:
    lost = watch(case("freeze.as-posted.careful/group-snapshot-2/power-P1@60"))
    assert lost.evidence.power_lost
    assert lost.crashed is not None
    created = {name for name in lost.evidence.digests_after if name not in lost.evidence.digests_before}
    assert all(lost.crashed.exists(name) for name in created)
    assert not any(name.endswith(".new") for name in lost.crashed.names("/vm"))  # was never synced
