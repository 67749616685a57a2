"""A run that was stopped, even killed, goes on where it was, and nothing shows it; an ended one stays."""

import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest

from proposals.cli.stored import NAME
from tests.cli.program import FORMS, PRETEND, REAL, REPORT, ROOT, assert_refused, environment, files_in, run
from tests.cli.test_compare import SMALL, interrupted

ASKED = (
    *("--contestant", "group-snapshot", "--use-case", "group-snapshot", "--devices", "2"),
    *("--manager", "naive", "--fault", "eio", "--fault", "kill"),
)


def report_in(folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((folder / "report.json").read_text())
    assert values.pop("timing")
    values["settings"].pop("jobs")
    return values


def stored(folder: Path) -> int:
    connection = sqlite3.connect(folder / NAME)
    question = "SELECT count(*) FROM result WHERE run = 1 AND name LIKE 'judge %'"
    (number,) = connection.execute(question).fetchone()
    connection.close()
    return int(number)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("uninterrupted")
    done = run("compare", *ASKED, "--out", folder)
    assert done.returncode == 0, done
    assert "going on" not in done.stderr
    assert tuple(files_in(folder)) == REPORT
    return report_in(folder)


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_run_goes_on_where_it_was(
    tmp_path: Path, uninterrupted: dict[str, Any], sent: signal.Signals, jobs: str
) -> None:
    command = [*REAL, "compare", *ASKED, "--jobs", jobs, "--out", str(tmp_path)]
    code, _, errors = interrupted(command, sent)
    assert code == (2 if sent is signal.SIGINT else -signal.SIGKILL)
    if sent is signal.SIGINT:
        assert errors.splitlines()[-1].endswith("the same command goes on from there")
        assert report_in(tmp_path)["interrupted"]
        assert any(entry["truncated"] for entry in report_in(tmp_path)["coverage"])
        assert "truncated" in (tmp_path / "report.md").read_text()
    assert stored(tmp_path) > 0
    done = run("compare", *ASKED, "--jobs", "2", "--out", tmp_path)
    assert done.returncode == 0, done
    assert "going on with the unfinished run" in done.stderr
    assert report_in(tmp_path) == uninterrupted
    assert tuple(files_in(tmp_path)) == REPORT


def killed(folder: Path, program: tuple[str, ...] = REAL) -> None:
    command = [*program, "compare", *ASKED, "--out", str(folder)]
    assert interrupted(command, signal.SIGKILL)[0] == -signal.SIGKILL
    assert stored(folder) > 0


def test_what_is_stored_is_not_judged_again_and_fresh_judges_it_again(tmp_path: Path) -> None:
    killed(tmp_path)
    connection = sqlite3.connect(tmp_path / NAME)
    with connection:  # a tally that no run would give
        connection.execute("UPDATE result SET value = replace(value, '\"cases\": ', '\"cases\": 1000')")
    connection.close()
    shutil.copytree(tmp_path, tmp_path / "again")
    assert run("compare", *ASKED, "--out", tmp_path).returncode == 0
    assert max(entry["cases"] for entry in report_in(tmp_path)["coverage"]) > 1000
    done = run("compare", *ASKED, "--fresh", "--out", tmp_path / "again")
    assert "going on" not in done.stderr
    assert max(entry["cases"] for entry in report_in(tmp_path / "again")["coverage"]) < 1000


def test_what_other_code_has_judged_is_not_used(tmp_path: Path) -> None:
    for package in ("blockops", "proposals"):
        shutil.copytree(ROOT / package, tmp_path / "code" / package)
    begin = f"import sys; sys.path.insert(0, {str(tmp_path / 'code')!r})"
    copied = (REAL[0], "-c", f"{begin}; from proposals.cli import main; sys.exit(main())")
    killed(tmp_path / "out", copied)
    with (tmp_path / "code" / "proposals" / "freeze" / "state.py").open("a") as source:
        source.write("# changed\n")
    done = run("compare", *ASKED, "--out", tmp_path / "out", program=copied)
    assert done.returncode == 0, done
    assert "other code" in done.stderr
    assert "going on" not in done.stderr
    connection = sqlite3.connect(tmp_path / "out" / NAME)
    assert connection.execute("SELECT count(*) FROM run").fetchone() == (
        2,
    )  # the other code's is still there
    connection.close()


def test_another_run_in_the_same_folder_leaves_the_unfinished_one_alone(tmp_path: Path) -> None:
    killed(tmp_path)
    before = stored(tmp_path)
    done = run("compare", *ASKED, "--profile", "hardened", "--out", tmp_path)
    assert done.returncode == 0, done
    assert "unfinished" not in done.stderr
    assert stored(tmp_path) == before
    assert run("report", tmp_path / NAME, "--json").stdout == (tmp_path / "report.json").read_text()
    assert "going on with the unfinished run" in run("compare", *ASKED, "--out", tmp_path).stderr


def test_a_file_in_the_place_of_the_store_is_refused_and_stays(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("mine, all mine")
    for more in ([], ["--fresh"]):
        assert_refused(run("compare", *ASKED, *more, "--out", tmp_path), 4, tmp_path / NAME)
    assert (tmp_path / NAME).read_text() == "mine, all mine"


def test_a_damaged_store_is_refused_and_fresh_starts_again(tmp_path: Path) -> None:
    killed(tmp_path)
    for left in tmp_path.glob(f"{NAME}-*"):
        left.unlink()
    path = tmp_path / NAME
    path.write_bytes(path.read_bytes()[:100] + b"\xa5" * 9000)
    assert_refused(run("compare", *ASKED, "--out", tmp_path), 4, path, "damaged")
    assert run("compare", *ASKED, "--fresh", "--out", tmp_path).returncode == 0
    assert tuple(files_in(tmp_path)) == REPORT


def forms_in(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FORMS}


def test_a_run_that_has_ended_is_not_judged_again_and_report_tells_it_byte_for_byte(tmp_path: Path) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    first = run("compare", *SMALL, "--out", out)
    forms = forms_in(out)
    for name in FORMS:
        (out / name).unlink()
    again = run("compare", *SMALL, "--jobs", "1", "--out", out)
    assert again.returncode == 0, again
    assert (forms_in(out), again.stdout) == (forms, first.stdout)
    assert "holds the whole run; it is not judged again" in again.stderr
    assert "cases judged" not in again.stderr
    told = run("report", out / NAME, "--out", elsewhere)
    assert told.returncode == 0, told
    assert forms_in(elsewhere) == forms
    assert told.stdout.splitlines()[:-1] == first.stdout.splitlines()[:-1]
    for name in FORMS:
        (out / name).unlink()
    assert run("report", out / NAME, "--json").stdout == forms["report.json"].decode()
    assert forms_in(out) == forms  # beside the store, where no other folder is named
    fresh = run("compare", *SMALL, "--fresh", "--out", out)
    assert "cases judged" in fresh.stderr
    assert "holds the whole run" not in fresh.stderr


def test_the_report_of_a_stopped_run_says_so_and_of_a_killed_one_there_is_none(tmp_path: Path) -> None:
    stopped, killed = tmp_path / "stopped", tmp_path / "killed"
    for folder, sent in ((stopped, signal.SIGINT), (killed, signal.SIGKILL)):
        interrupted([*REAL, "compare", *ASKED, "--out", str(folder)], sent)
    forms = forms_in(stopped)
    done = run("report", stopped / NAME)
    assert done.returncode == 2, done
    assert "Interrupted" in done.stdout
    assert done.stderr.startswith("blockops: interrupted; ")
    assert forms_in(stopped) == forms
    assert_refused(run("report", killed / NAME), 2, killed / NAME, "has not come to its end", "goes on")
    assert files_in(killed) == [NAME]


def test_what_is_no_store_is_no_report(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine, all mine")
    assert_refused(run("report", tmp_path / "notes"), 4, tmp_path / "notes", "no store of blockops")
    assert_refused(run("report", tmp_path / "none"), 4, tmp_path / "none", "No such file")
    assert_refused(run("report", tmp_path), 4, tmp_path)
    assert files_in(tmp_path) == ["notes"]


def test_what_a_broken_core_has_judged_is_said_again(tmp_path: Path) -> None:
    run("--pretend", "broken", "compare", "--out", tmp_path, program=PRETEND)
    done = run("report", tmp_path / NAME)
    assert done.returncode == 3
    assert "d0 lost a write" in done.stderr.splitlines()[-1]


TINY = ("--contestant", "stop-cont.as-posted.naive", "--use-case", "group-snapshot", "--devices", "2")
MOMENTS = 10 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 2


def tiny(folder: Path) -> list[str]:
    return [*REAL, "compare", *TINY, "--fault", "eio", "--fault", "kill", "--out", str(folder)]


def contents(folder: Path) -> list[list[tuple[Any, ...]]]:
    """All that the store holds but for what a clock said."""
    with contextlib.closing(sqlite3.connect(folder / NAME)) as connection:
        runs = "SELECT id, settings, code, asked, versions, report, ended FROM run"
        return [connection.execute(question).fetchall() for question in (runs, "SELECT * FROM result")]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[list[tuple[Any, ...]]], float]:
    folder = tmp_path_factory.mktemp("undisturbed")
    done = subprocess.run(tiny(folder), capture_output=True, text=True, check=False, env=environment())
    assert done.returncode == 0, done
    return contents(folder), json.loads((folder / "report.json").read_text())["timing"]["seconds"]


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_a_run_killed_at_a_random_moment_and_resumed_stores_the_same(
    tmp_path: Path, undisturbed: tuple[list[list[tuple[Any, ...]]], float], moment: int
) -> None:
    expected, seconds = undisturbed
    assert len(expected[1]) > 3
    with contextlib.suppress(subprocess.TimeoutExpired):  # which kills it
        after = 1 + seconds * random.Random(moment).random()
        subprocess.run(tiny(tmp_path), capture_output=True, check=False, env=environment(), timeout=after)
    done = subprocess.run(tiny(tmp_path), capture_output=True, text=True, check=False, env=environment())
    assert done.returncode == 0, done
    assert contents(tmp_path) == expected
