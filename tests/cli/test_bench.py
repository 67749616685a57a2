"""`blockops bench lab` from outside: what it prints and refuses; how fast anything is no test says."""

import json
from typing import Any

import pytest

from proposals.cli.bench import Goal
from tests.cli.program import assert_refused, run

TINY = ("bench", "lab", "--seconds", "0.01", "--contestant")
ONE = (*TINY, "group-snapshot.hardened.careful")


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    done = run(*ONE, "--json")
    assert done.returncode == 0, done
    assert done.stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_json_has_every_measurement(figures: dict[str, Any]) -> None:
    assert [one["name"] for one in figures["cases"]] == ["group-snapshot.hardened.careful", "all"]
    assert [one["name"] for one in figures["power"]] == ["group-snapshot.hardened.careful", "all"]
    assert [one["devices"] for one in figures["devices"]] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [one["name"] for one in figures["beside"]][:3] == [
        "execution and all laws",
        "execution only",
        "python calls",
    ]


def test_second_power_cuts_are_measured_by_themselves(figures: dict[str, Any]) -> None:
    one = figures["second_power_cuts"]
    assert (one["name"], one["distinct"] > 0) == ("group-snapshot.hardened.careful", True)
    assert one["per_second"] * one["seconds"] == pytest.approx(one["distinct"])


def test_every_rate_is_its_count_by_its_seconds(figures: dict[str, Any]) -> None:
    for one in (*figures["cases"], *figures["beside"]):
        assert one["run"] > 0
        assert one["run_per_second"] * one["seconds"] == pytest.approx(one["run"])
        assert one["judged_per_second"] * one["seconds"] == pytest.approx(one["run"] + one["remembered"])
    for one in figures["power"]:
        assert one["distinct"] > 0
        assert one["per_second"] * one["seconds"] == pytest.approx(one["distinct"])


def test_the_table_names_everybody_measured_and_everything_beside() -> None:
    done = run(*TINY, "freeze")
    assert done.returncode == 0, done
    assert done.stderr == ""
    for name in (
        "freeze.as-posted.naive",
        "freeze.hardened.careful",
        "power cuts",
        "execution only",
        "devices",
    ):
        assert name in done.stdout


def test_it_says_how_close_it_comes_to_the_goals_and_what_bounds_it(figures: dict[str, Any]) -> None:
    cases, power = figures["goals"]
    assert (cases["goal"], cases["reached"]) == (1500, figures["cases"][-1]["judged_per_second"])
    assert (power["goal"], power["reached"]) == (1000, figures["power"][-1]["per_second"])
    assert Goal("things", 200, 50.0).words == "Goal: 200 things per second; here 50: 25% of it."
    assert Goal("things", 200, 201.0).words == "Goal: 200 things per second; here 201: reached."
    printed = run(*ONE).stdout
    assert "Goal: 1,500 judged cases per second" in printed
    assert "What bounds the cases:" in printed


@pytest.mark.real_tool("qemu-img", "qemu-system-x86_64")
def test_the_real_tools_are_measured_where_they_are(figures: dict[str, Any]) -> None:
    assert [one["name"] for one in figures["beside"]][3:] == ["qemu", "qemu-img"]


@pytest.mark.parametrize(
    ("arguments", "culprit"),
    [
        (["lab", "--contestant", "freze"], "did you mean 'freeze'?"),
        (["lab", "--seconds", "0"], "--seconds"),
        (["lab", "surplus"], "surplus"),
        (["lap"], "lap"),
    ],
)
def test_wrong_usage_is_one_sentence(arguments: list[str], culprit: str) -> None:
    assert_refused(run("bench", *arguments), 4, culprit)
