"""A run that was stopped, even killed, goes on where it was, and its report shows nothing of that."""

import json
import shutil
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from proposals.cli.unfinished import NAME
from tests.cli.program import REAL, REPORT, ROOT, assert_refused, files_in, run
from tests.cli.test_compare import interrupted

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
    (number,) = connection.execute("SELECT count(*) FROM result WHERE name LIKE 'judge %'").fetchone()
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
    assert files_in(tmp_path / "out") == [*REPORT, NAME]  # what the other code judged is still there


def test_another_run_in_the_same_folder_leaves_the_unfinished_one_alone(tmp_path: Path) -> None:
    killed(tmp_path)
    before = stored(tmp_path)
    done = run("compare", *ASKED, "--profile", "hardened", "--out", tmp_path)
    assert done.returncode == 0, done
    assert "unfinished" not in done.stderr
    assert stored(tmp_path) == before


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
