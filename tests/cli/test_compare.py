"""`blockops compare` from outside: what it writes, what it refuses, how it ends."""

import json
import os
import resource
import signal
from functools import partial
from pathlib import Path

import pytest

from blockops.graph.formats import NewImage, create_image
from blockops.host.posix import PosixFolder
from blockops.report.document import from_text
from tests.cli.program import (
    FORMS,
    PRETEND,
    REAL,
    REPORT,
    assert_refused,
    begun,
    files_in,
    pretend,
    run,
)

SMALL = ("--contestant", "group-snapshot.hardened.careful", "--use-case", "retry", "--fault", "occupied")


def qcow2(folder: Path, name: str) -> Path:
    create_image(PosixFolder(folder), NewImage(name, "qcow2", 65536), durable=False)
    return folder / name


def test_a_run_ends_with_code_zero_and_three_complete_reports(tmp_path: Path) -> None:
    done = run("compare", *SMALL, "--out", tmp_path / "deep" / "report")
    assert done.returncode == 0, done
    assert tuple(files_in(tmp_path / "deep" / "report")) == REPORT
    results = from_text((tmp_path / "deep" / "report" / "report.json").read_text())
    assert {cell.contestant for cell in results.cells} == {"group-snapshot"}
    assert results.timing is not None
    assert not results.interrupted
    assert "group-snapshot" in done.stdout
    assert str(tmp_path / "deep" / "report" / "report.html") in done.stdout
    assert "cases judged" in done.stderr


def test_the_same_run_gives_the_same_report_but_for_the_clock_whatever_the_workers(tmp_path: Path) -> None:
    reports = []
    for jobs in ("1", "2"):
        assert run("compare", *SMALL, "--fresh", "--jobs", jobs, "--out", tmp_path).returncode == 0
        assert tuple(files_in(tmp_path)) == REPORT
        values = json.loads((tmp_path / "report.json").read_text())
        assert values.pop("timing")
        assert values["settings"].pop("jobs") == int(jobs)
        reports.append(values)
    assert reports[0] == reports[1]


def test_json_prints_the_report_and_nothing_else_on_standard_output(tmp_path: Path) -> None:
    done = pretend("compare", "--json", "--out", tmp_path)
    assert done.returncode == 0
    assert done.stdout == (tmp_path / "report.json").read_text()


def test_given_images_are_used_and_never_changed(tmp_path: Path) -> None:
    raw = tmp_path / "data.raw"
    raw.write_bytes(bytes(range(256)) * 256)
    given = [qcow2(tmp_path, "root.qcow2"), raw]
    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in given]
    images = [word for path in given for word in ("--image", path)]
    done = run("compare", *SMALL, *images, "--out", tmp_path / "report")
    assert done.returncode == 0, done
    assert [(path.read_bytes(), path.stat().st_mtime_ns) for path in given] == before
    results = from_text((tmp_path / "report" / "report.json").read_text())
    assert [Path(path).name for path, _ in results.settings["images"]] == ["root.qcow2", "data.raw"]
    assert files_in(tmp_path) == ["data.raw", "report", "root.qcow2"]


def test_an_image_that_is_unusable_is_named_before_anything_runs(tmp_path: Path) -> None:
    good = qcow2(tmp_path, "good.qcow2")
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty").touch()
    (tmp_path / "garbage.qcow2").write_bytes(b"QFI\xfb" + b"\xff" * 4000)
    (tmp_path / "noise.qcow2").write_bytes(bytes(range(256)) * 64)
    (tmp_path / "other.vmdk").write_bytes(b"KDMV" + bytes(65532))
    (tmp_path / "truncated.qcow2").write_bytes(good.read_bytes()[:200])
    for name in (
        "missing",
        "folder",
        "empty",
        "garbage.qcow2",
        "noise.qcow2",
        "other.vmdk",
        "truncated.qcow2",
    ):
        done = run("compare", "--image", good, "--image", tmp_path / name, "--out", tmp_path / "report")
        assert_refused(done, 4, name)
    twice = run(
        "compare", "--image", good, "--image", tmp_path / "." / good.name, "--out", tmp_path / "report"
    )
    assert_refused(twice, 4, "good.qcow2", "twice")
    assert not (tmp_path / "report").exists()


def test_one_file_under_two_names_is_one_file(tmp_path: Path) -> None:
    good = qcow2(tmp_path, "good.qcow2")
    (tmp_path / "linked").hardlink_to(good)
    done = run("compare", "--image", good, "--image", tmp_path / "linked", "--out", tmp_path / "report")
    assert_refused(done, 4, "linked", "twice", "good.qcow2")


def test_where_an_image_below_is_missing_the_one_that_was_given_is_named_too(tmp_path: Path) -> None:
    qcow2(tmp_path, "base.qcow2")
    overlay = NewImage("top.qcow2", "qcow2", 65536, "base.qcow2", "qcow2")
    create_image(PosixFolder(tmp_path), overlay, durable=False)
    (tmp_path / "base.qcow2").unlink()
    done = run("compare", "--image", tmp_path / "top.qcow2", "--out", tmp_path / "report")
    assert_refused(done, 4, tmp_path / "top.qcow2", tmp_path / "base.qcow2", "No such file")


def test_an_image_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    secret = qcow2(tmp_path, "secret.qcow2")
    secret.chmod(0o000)
    become_nobody = "os.seteuid(65534)" if os.geteuid() == 0 else ""  # root may read everything
    # Everything is imported first: nobody may not read a Python that lies in root's home.
    imports = "import os, sys; import proposals.cli.program; from proposals.cli import main"
    program = f"{imports}; {become_nobody}; sys.exit(main())"
    done = run("compare", "--image", secret, program=(REAL[0], "-c", program), cwd="/")
    assert_refused(done, 4, "secret.qcow2", "Permission denied")


@pytest.mark.parametrize(
    ("arguments", "culprits"),
    [
        (["--devices", "0"], ["--devices", "0"]),
        (["--devices", "10000"], ["--devices", "10000"]),
        (["--devices", "two"], ["--devices", "'two' is not a whole number from 1 to 128"]),
        (["--jobs", "0"], ["--jobs"]),
        (["--seed", "-1"], ["--seed", "'-1' is not a whole number from 0 on"]),
        (["--image", ""], ["an image: its name is empty"]),
        (["--contestant", "freze"], ["'freze'", "did you mean 'freeze'?"]),
        (["--contestant", "FREEZE"], ["'FREEZE'", "did you mean 'freeze'?"]),
        (["--contestant", "xyzzy"], ["'xyzzy'", "blockops list contestants"]),
        (["--use-case", "group-snapshots"], ["did you mean 'group-snapshot'?"]),
        (["--fault", "eoi"], ["did you mean 'eio'?"]),
        (["--profile", "soft"], ["'soft'", "as-posted and hardened"]),
        (["--manager", "carefull"], ["did you mean 'careful'?"]),
        (["--contestant", "naive-loop", "--profile", "hardened"], ["no contestant"]),
        (["--colour"], ["--colour"]),
        (["surplus"], ["surplus"]),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else None,
)
def test_wrong_usage_is_one_sentence_and_code_four(
    tmp_path: Path, arguments: list[str], culprits: list[str]
) -> None:
    assert_refused(run("compare", *arguments, "--out", tmp_path / "report"), 4, *culprits)
    assert files_in(tmp_path) == []


def test_an_output_folder_without_a_name_is_refused(tmp_path: Path) -> None:
    for command in (["compare"], ["replay", "freeze.as-posted.careful/group-snapshot-2~abcdef12/eio@17"]):
        assert_refused(run(*command, "--out", "", cwd=tmp_path), 4, "--out", "empty")
    assert files_in(tmp_path) == []


def test_images_and_a_number_of_devices_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    done = run("compare", "--image", qcow2(tmp_path, "a.qcow2"), "--devices", "2", "--out", tmp_path / "r")
    assert_refused(done, 4, "1 image", "not 2")


def test_an_output_folder_that_cannot_be_is_refused_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for folder in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/blockops")):
        done = pretend("--pretend", "slow", "compare", "--out", folder)
        assert_refused(done, 5, folder)
    assert (tmp_path / "file").read_text() == "mine"


def small_files_only(limit: int = 60_000) -> None:
    """A disk that is full: no file may grow beyond some bytes (the probe and an empty store still fit)."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


def test_where_the_disk_is_full_the_old_report_stays_and_nothing_is_half_written(tmp_path: Path) -> None:
    for name in FORMS:
        (tmp_path / name).write_text("from before")
    done = pretend("compare", "--out", tmp_path, preexec_fn=small_files_only)
    assert done.returncode == 5
    assert "report" in done.stderr
    assert "Traceback" not in done.stderr
    assert tuple(files_in(tmp_path)) == FORMS
    assert {(tmp_path / name).read_text() for name in FORMS} == {"from before"}


@pytest.mark.parametrize("limit", [60_000, 10_000], ids=["for-the-report", "for-the-store"])
def test_where_the_disk_is_full_no_new_folder_stays(tmp_path: Path, limit: int) -> None:
    full = partial(small_files_only, limit)
    done = pretend("compare", "--out", tmp_path / "a" / "b", preexec_fn=full)
    assert done.returncode == 5, done
    assert str(tmp_path) in done.stderr.splitlines()[-1]
    assert files_in(tmp_path) == []


def interrupted(command: list[str], sent: signal.Signals, patience: int = 300) -> tuple[int, str, str]:
    """Run *command*, send a signal after its first word of progress, return how it ended."""
    with begun(*command) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        process.send_signal(sent)
        output, errors = process.communicate(timeout=patience)
    return process.returncode, output, first + errors


def test_an_interrupt_while_the_program_is_imported_is_one_sentence_and_code_2() -> None:
    interrupted_import = """
import sys
from proposals.cli import main
class Impatient:
    def find_spec(self, name, path=None, target=None):
        if name == "blockops.lab":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Impatient())
sys.exit(main(["list", "laws"]))
"""
    done = run(program=(REAL[0], "-c", interrupted_import))
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "blockops: interrupted\n")


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_a_report_that_says_so(tmp_path: Path, sent: signal.Signals) -> None:
    command = [*PRETEND, "--pretend", "slow", "compare", "--out", str(tmp_path)]
    code, output, errors = interrupted(command, sent)
    assert code == 2
    assert "Interrupted" in output
    assert errors.splitlines()[-1].startswith("blockops: interrupted")
    assert tuple(files_in(tmp_path)) == REPORT
    assert from_text((tmp_path / "report.json").read_text()).interrupted
    for name in ("report.html", "report.md"):
        assert "Interrupted" in (tmp_path / name).read_text()


def test_an_interrupt_of_the_real_lab_leaves_no_process_behind(tmp_path: Path) -> None:
    command = [*REAL, "compare", "--use-case", "group-snapshot", "--devices", "2", "--out", str(tmp_path)]
    code, _, errors = interrupted(command, signal.SIGINT)
    assert "Traceback" not in errors
    assert code == 2, errors
    assert from_text((tmp_path / "report.json").read_text()).interrupted


def test_where_the_main_process_is_killed_no_worker_goes_on(tmp_path: Path) -> None:
    """The workers hold the pipes of the output, so these end only when the last worker has."""
    command = [*REAL, "compare", "--use-case", "group-snapshot", "--devices", "2", "--out", str(tmp_path)]
    code, _, _ = interrupted(command, signal.SIGKILL, patience=20)
    assert code == -signal.SIGKILL
    assert not set(FORMS) & set(files_in(tmp_path))


def test_a_broken_invariant_of_the_core_is_an_internal_error_and_is_reported(tmp_path: Path) -> None:
    done = pretend("--pretend", "broken", "compare", "--out", tmp_path)
    assert done.returncode == 3
    assert "d0 lost a write (and 1 more" in done.stderr.splitlines()[-1]
    assert "d1 lost a write" in (tmp_path / "report.html").read_text()


def test_a_run_that_could_judge_nothing_is_inconclusive(tmp_path: Path) -> None:
    done = pretend("--pretend", "inconclusive", "compare", "--out", tmp_path)
    assert done.returncode == 2
    assert "inconclusive" in done.stderr.splitlines()[-1]
