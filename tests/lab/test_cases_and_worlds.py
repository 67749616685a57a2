"""Case ids replay what they name; worlds are values; real images that were given are never changed."""

import hashlib
import json
import pathlib
import re

import attrs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from blockops.errors import BlockError, InvalidRequest
from blockops.graph.formats import NewImage, Opening, create_image, open_node
from blockops.graph.graph import Graph
from blockops.host.posix import PosixFolder
from blockops.lab.case import MAX_DEVICES, Case, parse_case
from blockops.lab.drawn import worlds
from blockops.lab.faults.fault import Fault
from blockops.lab.given import open_given
from blockops.lab.judging import evidence_of
from blockops.lab.world import World, as_dict, from_dict, initial_disk
from blockops.management.contestant import Contestant, Inexpressible
from blockops.management.use_cases import USE_CASES, UseCase
from tests.lab.cases import CONTESTANTS, explore, setting
from tests.lab.test_faults import FAULTS

DRAWN = worlds(st.integers(1, 4))


# --------------------------------------------------------------------------------------------- case ids


@given(
    st.sampled_from(list(CONTESTANTS.values())),
    st.sampled_from(list(USE_CASES.values())),
    st.one_of(DRAWN, st.builds(World, devices=st.integers(1, MAX_DEVICES))),
    FAULTS,
)
def test_a_case_is_what_its_id_says(
    contestant: Contestant, use_case: UseCase, world: World, fault: Fault
) -> None:
    assume(not isinstance(contestant.program(use_case.id), Inexpressible))
    case = Case(contestant, use_case, world, fault)
    assert parse_case(case.id, CONTESTANTS, {world.digest(): world}) == case


RIGHT = "freeze.as-posted.careful/group-snapshot-2/eio@17"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "must read CONTESTANT/USE-CASE-DEVICES/FAULT"),
        ("a/b", "must read CONTESTANT/USE-CASE-DEVICES/FAULT"),
        (f"{RIGHT}/more", "'more' is no order of steps"),
        (f"{RIGHT}/o@3/more", "must read CONTESTANT/USE-CASE-DEVICES/FAULT"),
        ("nobody.as-posted.careful/group-snapshot-2/eio@17", "no contestant is called"),
        ("freeze.as-posted/group-snapshot-2/eio@17", "no contestant is called"),
        ("freeze.as-posted.careful/snapshot-2/eio@17", "no use case is called 'snapshot'"),
        ("freeze.as-posted.careful/group-snapshot/eio@17", "no use case is called 'group'"),
        ("freeze.as-posted.careful/group-snapshot-0/eio@17", "is not a number of devices"),
        ("freeze.as-posted.careful/group-snapshot-x/eio@17", "is not a number of devices"),
        ("freeze.as-posted.careful/group-snapshot-٣/eio@17", "is not a number of devices"),
        ("freeze.as-posted.careful/group-snapshot-10000000000/eio@17", "is not a number of devices"),
        ("freeze.as-posted.careful/group-snapshot-2~beef/eio@17", "the world beef is not in the report"),
        ("freeze.as-posted.careful/group-snapshot-2/boom@17", "is not a fault"),
        ("group-snapshot.as-posted.naive/migrate-one-1/eio@17", "is inexpressible: no mirror"),
    ],
)
def test_a_wrong_id_gets_one_sentence(text: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says) as caught:
        parse_case(text, CONTESTANTS, {})
    assert "\n" not in str(caught.value)


@given(st.text())
def test_no_text_is_more_than_a_wrong_id(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_case(text, CONTESTANTS, {})


# ----------------------------------------------------------------------------------------------- worlds


@given(DRAWN, DRAWN)
def test_a_world_survives_json_and_equal_worlds_alone_share_a_digest(world: World, other: World) -> None:
    again = from_dict(json.loads(json.dumps(as_dict(world))))
    assert again == world
    assert again.digest() == world.digest()
    assert (other.digest() == world.digest()) == (other == world)


def test_a_world_on_given_images_survives_json() -> None:
    world = World(devices=1, given=(("/x/y.raw", "raw"),))
    assert from_dict(json.loads(json.dumps(as_dict(world)))) == world
    assert not world.standard


@given(DRAWN)
def test_every_drawn_world_starts_with_its_devices(world: World) -> None:
    disk = initial_disk(world)
    for wish in world.disks():
        assert disk.exists(wish.old.path)
        assert not any(disk.exists(path) for path in (wish.overlay, wish.target, wish.target_base))


def test_a_case_leaves_the_world_that_it_forked_as_it_was() -> None:
    start = setting("transaction.hardened.naive", "migrate-many", World(devices=2))
    disk = initial_disk(start.world)
    before = {name: disk.content("read", name).digest() for name in disk.names("/")}
    evidence_of(start)
    assert {name: disk.content("read", name).digest() for name in disk.names("/")} == before


# ---------------------------------------------------------------------------------------- given images


@pytest.fixture
def images(tmp_path: pathlib.Path) -> list[pathlib.Path]:
    """A raw image, a qcow2 image, and a qcow2 overlay on a raw base, all with data."""
    folder = PosixFolder(str(tmp_path))
    wanted = [
        NewImage("flat.raw", "raw", 40960),
        NewImage("single.qcow2", "qcow2", 40960),
        NewImage("base.raw", "raw", 40960),
        NewImage("over.qcow2", "qcow2", 40960, "base.raw", "raw", 4096),
    ]
    for number, new in enumerate(wanted):
        create_image(folder, new, durable=True)
        node = open_node(Graph(), folder, new.filename, new.format, Opening(lock=False))
        node.write(512 * number, bytes([65 + number]) * 3000)
        node.close()
    return [tmp_path / name for name in ("flat.raw", "single.qcow2", "over.qcow2")]


def hashes(folder: pathlib.Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize(
    ("contestant", "use_case"),
    [
        ("group-snapshot.as-posted.naive", "group-snapshot"),
        ("freeze.hardened.careful", "switch-many"),
        ("transaction.as-posted.careful", "migrate-many"),
    ],
)
def test_given_images_are_never_changed(
    images: list[pathlib.Path], tmp_path: pathlib.Path, contestant: str, use_case: str
) -> None:
    before = hashes(tmp_path)
    world = World(devices=len(images), given=open_given([str(path) for path in images]))
    assert [format for _, format in world.given] == ["raw", "qcow2", "qcow2"]
    for one in explore(setting(contestant, use_case, world), None, 15):
        assert one.broken == ()
    assert hashes(tmp_path) == before


def test_a_device_on_a_given_image_shows_its_content(images: list[pathlib.Path]) -> None:
    world = World(devices=3, size=40960, given=open_given([str(path) for path in images]))
    evidence = evidence_of(setting("group-snapshot.hardened.naive", "group-snapshot", world))
    assert evidence.initial[0][:3000] == b"A" * 3000
    assert evidence.initial[1][512:3512] == b"B" * 3000
    assert evidence.initial[2][1024:4536] == b"C" * 512 + b"D" * 3000


def test_unusable_images_are_refused_with_a_sentence_that_names_the_file(
    images: list[pathlib.Path], tmp_path: pathlib.Path
) -> None:
    (tmp_path / "empty").touch()
    flat = str(images[0])
    for paths in ([str(tmp_path / "none")], [str(tmp_path / "empty")], [str(tmp_path)], [flat, flat]):
        with pytest.raises(BlockError, match=re.escape(paths[-1])) as caught:
            open_given(paths)
        assert "\n" not in str(caught.value)


def test_more_devices_than_the_standard_world_is_a_standard_world_too() -> None:
    assert World(devices=7).standard
    assert not attrs.evolve(World(devices=7), depth=1).standard
