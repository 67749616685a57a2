"""`blockops compare --baseline`: what is new and what is gone against an earlier run, and when that fails."""

import contextlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from proposals.cli.stored import NAME
from tests.cli.program import FORMS, assert_refused, files_in, run
from tests.cli.test_compare import SMALL

ASKED = ("--contestant", "naive-loop.as-posted.naive", "--use-case", "group-snapshot", "--devices", "2")
BROKEN = (*ASKED, "--fault", "enoent")

Distinct = dict[str, Any]


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that has ended, with distinct violations."""
    folder = tmp_path_factory.mktemp("ended")
    done = run("compare", *BROKEN, "--out", folder)
    assert done.returncode == 0, done
    assert len(json.loads((folder / "report.json").read_text())["distinct"]) > 2
    return folder


@pytest.fixture
def out(tmp_path: Path, ended: Path) -> Path:
    """A folder of one's own in which the run has ended: nothing is judged again there."""
    return Path(shutil.copytree(ended, tmp_path / "out"))


def changed(folder: Path, target: Path, change: Callable[[list[Distinct]], list[Distinct]]) -> Path:
    """Copy the store of *folder* and change which violations the run in it has."""
    shutil.copy(folder / NAME, target)
    with contextlib.closing(sqlite3.connect(target)) as connection, connection:
        (text,) = connection.execute("SELECT report FROM run").fetchone()
        report = json.loads(text)
        report["distinct"] = change(report["distinct"])
        connection.execute("UPDATE run SET report = ?", (json.dumps(report),))
    return target


def test_against_itself_nothing_is_new_or_gone(out: Path) -> None:
    done = run("compare", *BROKEN, "--baseline", out / NAME, "--fail-on", "NEW", "--out", out)
    assert done.returncode == 0, done
    assert f"Against {out / NAME}: 0 new distinct violations, 0 gone." in done.stdout
    assert "Against an earlier run" in (out / "report.md").read_text()


def test_what_is_new_and_what_is_gone_is_listed_everywhere_and_new_ones_strike(
    tmp_path: Path, out: Path
) -> None:
    kept: list[Distinct] = []

    def other(distinct: list[Distinct]) -> list[Distinct]:
        kept.extend(distinct)
        return [{**distinct[0], "law": "tidiness"}, *({**one, "count": 1} for one in distinct[2:])]

    old = changed(out, tmp_path / "old.sqlite", other)
    asked = ("compare", *BROKEN, "--baseline", old, "--out", out)
    done = run(*asked, "--fail-on", "new")
    assert done.returncode == 1, done
    assert done.stderr.splitlines()[-1] == f"blockops: 2 distinct violations that {old} does not have"
    assert f"Against {old}: 2 new distinct violations, 1 gone." in done.stdout
    listed = [line.split()[0] for line in done.stdout.splitlines() if "blockops explain" in line]
    assert listed == ["new:", "new:", "gone:"]
    assert f"gone: {kept[0]['contestant']} in {kept[0]['use_case']} breaks tidiness" in done.stdout
    found = json.loads((out / "report.json").read_text())["against"]
    assert (found["earlier"], found["new"]) == (str(old), kept[:2])
    assert [one["law"] for one in found["gone"]] == ["tidiness"]
    for name in ("report.html", "report.md"):
        assert kept[0]["case"] in (out / name).read_text().partition("Against an earlier run")[2]
    assert run(*asked).returncode == 0  # findings are no failure, unless they are asked to be


def test_report_tells_it_again_byte_for_byte_and_without_a_baseline_nothing_is_said(
    tmp_path: Path, out: Path
) -> None:
    old = changed(out, tmp_path / "old.sqlite", lambda distinct: distinct[1:])
    assert run("compare", *BROKEN, "--baseline", old, "--out", out).returncode == 0
    assert run("report", out / NAME, "--out", tmp_path / "again").returncode == 0
    for name in FORMS:
        assert (tmp_path / "again" / name).read_bytes() == (out / name).read_bytes()
    assert "Against" not in run("compare", *BROKEN, "--out", out).stdout
    assert "Against an earlier run" not in (out / "report.html").read_text()


def test_a_baseline_that_will_not_do_is_one_sentence_before_anything_runs(
    tmp_path: Path, ended: Path
) -> None:
    (tmp_path / "notes").write_text("mine, all mine")
    unended = tmp_path / "unended.sqlite"
    shutil.copy(ended / NAME, unended)
    with contextlib.closing(sqlite3.connect(unended)) as connection, connection:
        connection.execute("UPDATE run SET ended = NULL, report = NULL")
    for name, why in (
        (tmp_path / "notes", "no store of blockops"),
        (tmp_path / "none", "No such file"),
        (unended, "no run in it has come to its end"),
    ):
        done = run("compare", *BROKEN, "--baseline", name, "--out", tmp_path / "out")
        assert_refused(done, 4, name, why)
    done = run("compare", *SMALL, "--seed", "8", "--baseline", ended / NAME, "--out", tmp_path / "out")
    assert_refused(done, 4, ended / NAME, "of other settings", "seed 7, here 8", "devices 2, here as usual")
    assert_refused(run("compare", *BROKEN, "--fail-on", "new", "--out", tmp_path / "out"), 4, "--baseline")
    assert files_in(tmp_path) == ["notes", "unended.sqlite"]
