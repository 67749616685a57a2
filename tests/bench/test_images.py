"""`blockops bench images`: what is measured is the same work; how fast anything is no test says."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from blockops.graph.status import holds
from blockops.units import KIB, MIB
from proposals.bench.rows import LIMIT, WORKS, Goal, Work
from proposals.bench.site import CLUSTER, Site, content, leap, release, strided
from proposals.bench.snapshots import DEVICES, SNAPSHOTS
from proposals.bench.snapshots import ours as snapshot
from proposals.bench.table import measured
from tests.cli.program import assert_refused, run

SHAPES = ("raw", "whole", "scattered", "chain-4", "chain-64")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, 8 * MIB)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_holds_the_same_bytes(site: Site, shape: str) -> None:
    site.make(shape)
    node = site.opened(site.name(shape))
    assert node.size == site.length_of(shape)
    assert node.read(0, node.size) == content(0, node.size)
    release(node)


@pytest.mark.real_tool("qemu-img")
@pytest.mark.parametrize("shape", SHAPES[1:])
def test_every_shape_is_sound_for_the_real_tool(site: Site, shape: str) -> None:
    site.make("raw")
    site.make(shape)
    subprocess.run(["qemu-img", "check", "-q", site.name(shape)], check=True)
    if site.length_of(shape) == site.size:
        subprocess.run(["qemu-img", "compare", "-q", site.name("raw"), site.name(shape)], check=True)


def test_readers_of_a_chain_meet_many_of_its_images(site: Site) -> None:
    site.make("chain-4")
    node = site.opened(site.name("chain-4"))
    owners = set()
    for offset in range(0, node.size, CLUSTER):
        owner = node
        while not holds(owner, offset, CLUSTER):
            owner = owner.backing  # type: ignore[assignment]
        owners.add(owner.path)
    release(node)
    assert len(owners) == 4


@pytest.mark.parametrize("grain", [4 * KIB, CLUSTER])
def test_leaps_meet_every_grain_once(grain: int) -> None:
    count = 8 * MIB // grain
    assert sorted(strided(8 * MIB, count, leap(8 * MIB, grain))) == list(range(0, 8 * MIB, grain))


def test_nothing_stays_of_what_was_measured(site: Site) -> None:
    for work in (*WORKS, SNAPSHOTS[0]):
        for shape in work.shapes:
            site.make(shape)
        before = {path.name for path in site.path.iterdir()}
        assert work.limit is None or (work.limit(site) or 0) > 0
        assert (work.ours(site) or 0) > 0
        assert {path.name for path in site.path.iterdir()} == before, work.name


def test_a_guest_stands_still_for_less_than_the_snapshot_takes(site: Site) -> None:
    took = snapshot(site)
    assert DEVICES == 128
    assert 0 < took.stall < took.whole


def test_a_ratio_is_the_median_of_what_was_measured_in_the_same_round(site: Site) -> None:
    clock = iter([9.0, 9.0, 9.0, 1.0, 2.0, 4.0, 8.0, 2.0, 1.0, 6.0, 2.0, 3.0])

    def tick(site: Site) -> float:
        return next(clock)

    work = Work("ticks", (), tick, tick, {"peer": tick, "absent": lambda site: None}, (Goal(LIMIT, 1),))
    (row,) = measured([work], site, 3, lambda what: None)
    assert [(one.than, one.median, one.least, one.most) for one in row.ratios] == [
        (LIMIT, 3.0, 0.5, 4.0),
        ("peer", 1.5, 0.5, 2.0),
    ]
    assert [one.reached for one in row.ratios] == [True, None]
    assert row.seconds == 2.0


def test_the_command_prints_a_line_for_everybody_measured(tmp_path: Path) -> None:
    done = run(
        "bench", "images", "--only", "copy-on-write", "--size", "8", "--rounds", "1", "--folder", tmp_path
    )
    assert done.returncode == 0, done
    assert done.stderr == ""
    assert "random copy-on-write, 4 KiB" in done.stdout
    assert "goals reached." in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.real_tool("qemu-img", "qemu-system-x86_64")
def test_json_has_the_real_tools_where_they_are(tmp_path: Path) -> None:
    done = run("bench", "images", "--size", "8", "--rounds", "1", "--folder", tmp_path, "--json")
    assert done.returncode == 0, done
    found: dict[str, Any] = json.loads(done.stdout)
    assert [row["work"] for row in found["rows"]] == [work.name for work in (*WORKS, *SNAPSHOTS)]
    beside = {row["work"]: {ratio["than"] for ratio in row["ratios"]} for row in found["rows"]}
    for work in (*WORKS, *SNAPSHOTS):
        assert beside[work.name] == {*work.beside, *([] if work.limit is None else [LIMIT])}


def test_what_cannot_be_measured_is_refused_in_one_sentence(tmp_path: Path) -> None:
    assert_refused(run("bench", "images", "--only", "nothing"), 4, "'nothing'", "random read")
    assert_refused(run("bench", "images", "--folder", tmp_path / "absent"), 4, "--folder", "absent")
    assert_refused(run("bench", "images", "--size", "1"), 4, "--size", "'1'")
