"""What a management program may do, on real files and in memory."""

import errno
import tracemalloc
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from blockops.errors import HostError, ImageError, InvalidRequest
from blockops.graph.formats import NewImage, Opening, open_node
from blockops.graph.graph import Graph
from blockops.host.api import HostFolder
from blockops.host.memory import MemoryDisk, MemoryFolder
from blockops.host.posix import PosixFolder
from blockops.management.desk import CHUNK, Answer, Channel, Desk, Lost, NoAnswer, Refused, Replied
from blockops.management.wish import ImageRef
from blockops.steps import Phase, Step, Steps, run
from tests.management.scene import FailingFolder

SIZE = 3 * CHUNK + 4096


def answering(answer: Answer, seen: list[tuple[str, Mapping[str, object]]]) -> Channel:
    def send(command: str, arguments: Mapping[str, object]) -> Steps[Answer]:
        seen.append((command, arguments))
        yield Step(Phase.SEND, command)
        return answer

    return send


def memory_host(_: Path) -> HostFolder:
    disk = MemoryDisk()
    disk.make_folder("/vm/management")
    disk.make_folder("/vm/dst")
    return MemoryFolder(disk)


def real_host(path: Path) -> HostFolder:
    (path / "management").mkdir()
    (path / "dst").mkdir()
    return PosixFolder(path)


@pytest.fixture(params=[memory_host, real_host], ids=["memory", "posix"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Desk:
    return Desk(request.param(tmp_path), answering(Lost(), []))


def write(desk: Desk, image: ImageRef, offset: int, data: bytes) -> None:
    node = open_node(Graph(), desk.host, image.path, image.format, Opening(lock=False))
    node.write(offset, data)
    node.flush()
    node.close()


def read(desk: Desk, image: ImageRef) -> bytes:
    how = Opening(writable=False, lock=False)
    node = open_node(Graph(), desk.host, image.path, image.format, how)
    return node.read(0, node.size)


# ------------------------------------------------------------------------------------------- commands


def test_underscores_in_argument_names_become_dashes_and_lists_pass_as_they_are() -> None:
    seen: list[tuple[str, Mapping[str, object]]] = []
    desk = Desk(MemoryFolder(MemoryDisk()), answering(Replied(True, 7), seen))
    entries = [{"device": "d0", "snapshot-file": "s0"}]
    assert run(desk.must("do-it", dest_format="raw", devlist=entries)) == 7
    assert seen == [("do-it", {"dest-format": "raw", "devlist": entries})]


def test_an_error_reply_is_refused_and_says_what_the_hypervisor_said() -> None:
    desk = Desk(MemoryFolder(MemoryDisk()), answering(Replied(False, None, "GenericError", "no room"), []))
    with pytest.raises(Refused, match="do-it: no room"):
        run(desk.must("do-it"))


def test_a_lost_answer_is_not_taken_for_an_error() -> None:
    desk = Desk(MemoryFolder(MemoryDisk()), answering(Lost(), []))
    with pytest.raises(NoAnswer):
        run(desk.must("do-it"))


def test_a_reply_in_either_style_is_understood() -> None:
    error = {"class": "DeviceNotFound", "desc": "Device 'x' not found", "data": {"device": "x"}}
    assert Replied.from_reply({"return": {}}) == Replied(True, {})
    assert Replied.from_reply({"error": error}) == Replied(
        False, None, "DeviceNotFound", "Device 'x' not found", {"device": "x"}
    )


# --------------------------------------------------------------------------------------------- images


def make_chain(desk: Desk, base_format: str) -> ImageRef:
    """A top with a relative backing name, data in both."""
    base, top = ImageRef("base", base_format), ImageRef("top.qcow2", "qcow2")
    run(desk.create_image(NewImage(base.path, base_format, SIZE)))
    run(desk.create_image(NewImage(top.path, "qcow2", SIZE, "base", base_format, 4096)))
    write(desk, base, 0, b"base" * 1024)
    write(desk, top, 2 * CHUNK + 512, b"top!" * 128)
    return top


@pytest.mark.parametrize("base_format", ["qcow2", "raw"])
@pytest.mark.parametrize("copy_format", ["qcow2", "raw"])
def test_a_copy_reads_as_its_source_and_needs_no_other_file(
    desk: Desk, base_format: str, copy_format: str
) -> None:
    top, copy = make_chain(desk, base_format), ImageRef("dst/copy", copy_format)
    run(desk.copy(top, copy))
    before = read(desk, top)
    run(desk.delete("base"))
    assert read(desk, copy) == before
    assert run(desk.inspect(copy.path, copy_format)).backing is None


def test_copying_takes_a_step_a_chunk(desk: Desk) -> None:
    steps = list(desk.copy(make_chain(desk, "raw"), ImageRef("dst/copy", "raw")))
    assert [step.phase for step in steps].count(Phase.COPY) == 4


def test_a_copy_never_replaces_a_file(desk: Desk) -> None:
    top = make_chain(desk, "raw")
    run(desk.create_image(NewImage("dst/copy", "raw", 512)))
    with pytest.raises(HostError) as caught:
        run(desk.copy(top, ImageRef("dst/copy", "raw")))
    assert caught.value.code == errno.EEXIST


def make_pair(desk: Desk, size: int) -> tuple[ImageRef, ImageRef]:
    """Two empty images."""
    pair = ImageRef("one", "qcow2"), ImageRef("two", "qcow2")
    for image in pair:
        run(desk.create_image(NewImage(image.path, image.format, size)))
    return pair


@pytest.mark.parametrize("offset", [0, CHUNK, SIZE - 512])
def test_images_are_alike_until_a_single_sector_differs(desk: Desk, offset: int) -> None:
    one, two = make_pair(desk, SIZE)
    assert run(desk.alike(one, two))
    write(desk, two, offset, b"x" * 512)
    assert not run(desk.alike(one, two))
    write(desk, one, offset, b"x" * 512)
    assert run(desk.alike(one, two))


def test_images_of_other_sizes_or_that_are_missing_are_not_alike(desk: Desk) -> None:
    one, _ = make_pair(desk, SIZE)
    run(desk.create_image(NewImage("longer", "qcow2", SIZE + 512)))
    assert not run(desk.alike(one, ImageRef("longer", "qcow2")))
    assert not run(desk.alike(one, ImageRef("missing", "qcow2")))


def test_comparing_takes_no_more_memory_where_the_headers_say_more(desk: Desk) -> None:
    one, two = make_pair(desk, 256 * CHUNK)
    write(desk, two, 128 * CHUNK, b"x" * 512)
    tracemalloc.start()
    try:
        assert not run(desk.alike(one, two))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 * CHUNK


def test_inspecting_tells_what_the_header_says(desk: Desk) -> None:
    info = run(desk.inspect(make_chain(desk, "raw").path))
    assert (info.format, info.size, info.cluster_size) == ("qcow2", SIZE, 4096)
    assert (info.backing, info.backing_format) == (desk.host.resolve("base"), "raw")


def test_inspecting_needs_no_backing_and_refuses_garbage(desk: Desk) -> None:
    top = make_chain(desk, "raw")
    run(desk.delete("base"))
    assert run(desk.inspect(top.path, "qcow2")).backing == desk.host.resolve("base")
    run(desk.create_image(NewImage("garbage", "raw", 4096)))
    with pytest.raises(ImageError):
        run(desk.inspect("garbage", "qcow2"))


def test_deleting_a_missing_file_is_an_error(desk: Desk) -> None:
    assert run(desk.exists("nothing")) is False
    with pytest.raises(HostError):
        run(desk.delete("nothing"))


# ---------------------------------------------------------------------------------------------- books


def test_the_books_are_there_for_the_next_manager(desk: Desk) -> None:
    run(desk.configure({"d0": ImageRef("/vm/d0", "raw"), "d1": ImageRef("/vm/d1", "qcow2")}))
    run(desk.configure({"d1": ImageRef("/vm/s1", "qcow2")}))
    run(desk.note("intend", device="d0"))
    run(desk.note("done"))
    successor = Desk(desk.host, desk.channel)
    assert successor.configuration() == {"d0": ImageRef("/vm/d0", "raw"), "d1": ImageRef("/vm/s1", "qcow2")}
    assert run(successor.notes()) == [{"kind": "intend", "device": "d0"}, {"kind": "done"}]


def test_new_books_are_empty(desk: Desk) -> None:
    assert desk.configuration() == {}
    assert run(desk.notes()) == []


def test_books_that_are_not_json_are_named(desk: Desk) -> None:
    file = desk.host.create("management/notes.json", replace=False)
    file.write(0, b"not { json")
    file.close()
    with pytest.raises(InvalidRequest, match=r"notes\.json"):
        run(desk.notes())


@pytest.mark.parametrize("operation", ["create", "rename"])
def test_a_failed_change_of_the_books_leaves_them_as_they_were(operation: str) -> None:
    disk = MemoryDisk()
    disk.make_folder("/vm/management")
    host = FailingFolder(disk)
    desk = Desk(host, answering(Lost(), []))
    run(desk.note("first"))
    host.fails = {(operation, "/vm/management/notes.json.new"): errno.ENOSPC}
    with pytest.raises(HostError):
        run(desk.note("second"))
    assert run(desk.notes()) == [{"kind": "first"}]


# ---------------------------------------------------------------------------------------------- steps

DEEDS: dict[str, Callable[[Desk], Steps[Any]]] = {
    "execute": lambda desk: desk.execute("do-it"),
    "create_image": lambda desk: desk.create_image(NewImage("new", "raw", 512)),
    "copy": lambda desk: desk.copy(ImageRef("here", "raw"), ImageRef("copy", "raw")),
    "delete": lambda desk: desk.delete("here"),
    "exists": lambda desk: desk.exists("here"),
    "inspect": lambda desk: desk.inspect("here", "raw"),
    "alike": lambda desk: desk.alike(ImageRef("here", "raw"), ImageRef("here", "raw")),
    "configure": lambda desk: desk.configure({"d0": ImageRef("here", "raw")}),
    "note": lambda desk: desk.note("done"),
    "notes": lambda desk: desk.notes(),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_management_can_die_in_or_after_every_deed(desk: Desk, deed: str) -> None:
    run(desk.create_image(NewImage("here", "raw", 512)))
    assert list(DEEDS[deed](desk))


def test_a_manager_that_cannot_write_its_books_still_knows_what_they_say() -> None:
    disk = MemoryDisk()
    disk.make_folder("/vm/management")
    host = FailingFolder(disk)
    desk = Desk(host, answering(Lost(), []))
    old, new = ImageRef("/vm/d0", "raw"), ImageRef("/vm/s0", "qcow2")
    run(desk.configure({"d0": old}))
    host.fails = {
        ("create", "/vm/management/machine.json.new"): errno.ENOSPC,
        ("open", "/vm/management/machine.json"): errno.EMFILE,
    }
    run(desk.configure({"d0": old}))
    assert desk.configuration() == {"d0": old}
    with pytest.raises(HostError):
        run(desk.configure({"d0": new}))
    assert desk.configuration() == {"d0": old}  # only the temporary file can have been touched


def test_a_manager_whose_books_may_have_changed_asks_the_file() -> None:
    disk = MemoryDisk()
    disk.make_folder("/vm/management")
    host = FailingFolder(disk)
    desk = Desk(host, answering(Lost(), []))
    run(desk.configure({"d0": ImageRef("/vm/d0", "raw")}))
    host.fails = {
        ("rename", "/vm/management/machine.json.new"): errno.EIO,
        ("open", "/vm/management/machine.json"): errno.EMFILE,
    }
    with pytest.raises(HostError):
        run(desk.configure({"d0": ImageRef("/vm/s0", "qcow2")}))
    with pytest.raises(HostError):
        desk.configuration()
