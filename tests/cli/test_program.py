"""The rest of the command line: help, lists, replay, pipes and terminals."""

import json
import subprocess
import time
from pathlib import Path

import pexpect
import pytest

from blockops.lab.faults.host import HostFault, Span
from blockops.lab.faults.kinds import Kind
from blockops.lab.laws import LAWS
from blockops.lab.pairs import pairs_after
from blockops.lab.results import Results
from blockops.report.document import to_text
from proposals.catalogue import everybody
from tests.cli.program import PRETEND, REAL, assert_refused, begun, environment, pretend, run, visible
from tests.lab.cases import case

CASE = "freeze.as-posted.careful/group-snapshot-2/eio@17"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["compare", "-h"],
        ["replay", "--help"],
        ["list", "--help"],
        ["claims", "-h"],
        ["explain", "-h"],
    ],
)
def test_help_explains_and_ends_with_code_zero(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: blockops")
    assert done.stderr == ""


def test_help_has_examples_and_the_exit_codes() -> None:
    assert "blockops compare --image" in run("compare", "--help").stdout
    assert "5 the output cannot be written" in " ".join(run("--help").stdout.split())
    assert "..." not in run("--help").stdout.partition("Commands:")[2], "a command's line is cut off"


def test_the_version_is_the_distributions() -> None:
    assert run("--version").stdout.startswith("blockops 0.")


@pytest.mark.parametrize("arguments", [[], ["compair"], ["list"], ["list", "everything"], ["replay"]])
def test_usage_that_is_none_is_one_sentence_and_code_four(arguments: list[str]) -> None:
    assert_refused(run(*arguments), 4)


@pytest.mark.parametrize("what", ["contestants", "use-cases", "faults", "laws", "claims"])
def test_a_list_has_a_line_an_id_and_the_same_ids_as_json(what: str) -> None:
    lines = run("list", what).stdout.splitlines()
    entries = json.loads(run("list", what, "--json").stdout)
    assert [line.split("  ")[0] for line in lines] == [entry["id"] for entry in entries]
    assert all(entry["says"] for entry in entries)


def test_the_list_of_faults_explains_what_is_no_errno() -> None:
    says = {entry["id"]: entry["says"] for entry in json.loads(run("list", "faults", "--json").stdout)}
    assert "half of its length" in says["short"]
    assert "half of its sectors" in says["torn"]
    assert "loses what it should have made durable" in says["dropped"]
    assert "everything was done, and an error is returned" in says["eio"]


def test_lists_are_what_the_lab_has() -> None:
    assert [entry["id"] for entry in json.loads(run("list", "laws", "--json").stdout)] == [
        law.id for law in LAWS
    ]
    assert [entry["id"] for entry in json.loads(run("list", "contestants", "--json").stdout)] == [
        contestant.id for contestant in everybody()
    ]


def test_a_replay_prints_timeline_and_verdicts_and_is_the_same_each_time() -> None:
    first, second = run("replay", CASE), run("replay", CASE)
    assert first.returncode == 0, first
    assert first.stdout == second.stdout
    lines = first.stdout.splitlines()
    assert lines[0] == CASE
    assert lines[1].startswith("fault: ")
    assert any("management" in line for line in lines)
    assert any(" fault      eio@17 strikes" in line for line in lines)
    assert lines == [line.rstrip() for line in lines]
    assert [line.split()[1] for line in lines[-len(LAWS) :]] == [law.id for law in LAWS]


@pytest.mark.parametrize(
    ("case", "culprit"),
    [
        ("nonsense", "nonsense"),
        ("freeze.as-posted.careful/group-snapshot-2", "CONTESTANT/USE-CASE-DEVICES/FAULT"),
        ("frieze.as-posted.careful/group-snapshot-2/eio@17", "frieze"),
        ("freeze.as-posted.careful/group-snapshot-0/eio@17", "'0'"),
        ("freeze.as-posted.careful/group-2/eio@17", "'group'"),
        ("freeze.as-posted.careful/group-snapshot-2/eoi@17", "eoi@17"),
        ("group-snapshot.hardened.careful/migrate-one-1/no-fault", "migrate-one"),
        ("freeze.as-posted.careful/group-snapshot-2/eio@99999", "'eio@99999' strikes nothing"),
        ("freeze.as-posted.careful/group-snapshot-2/kill@step-99999", "strikes nothing"),
        ("freeze.as-posted.careful/group-snapshot-2/occupied@d7", "strikes nothing"),
    ],
)
def test_a_case_that_does_not_exist_is_refused_with_its_wrong_part(case: str, culprit: str) -> None:
    assert_refused(run("replay", case), 4, culprit)


def test_a_drawn_world_is_looked_up_in_the_report(tmp_path: Path) -> None:
    case = "freeze.as-posted.careful/group-snapshot-2~abcdef12/eio@17"
    assert_refused(
        run("replay", case, "--out", tmp_path), 4, tmp_path / "report.json", "No such file", "--out"
    )
    (tmp_path / "report.json").write_text("{}")
    assert_refused(run("replay", case, "--out", tmp_path), 4, "schema version None")
    empty = Results(versions={}, seed=0, settings={}, coverage=(), cells=(), violations=())
    (tmp_path / "report.json").write_text(to_text(empty, tuple(LAWS)))
    assert_refused(run("replay", case, "--out", tmp_path), 4, "abcdef12")


def test_a_reader_that_goes_away_is_no_failure() -> None:
    with begun(*REAL, "list", "laws") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
        process.wait()
    assert process.returncode == 0


@pytest.mark.parametrize("arguments", [["list", "laws"], ["replay", CASE]])
def test_standard_output_that_is_full_is_said_and_is_code_five(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*REAL, *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env=environment(),
        )
    assert done.returncode == 5
    assert done.stderr == "blockops: standard output: No space left on device\n"


def test_standard_output_that_is_closed_is_said_and_is_code_five() -> None:
    done = run("-c", '"$@" >&-', "sh", *REAL, "list", "laws", program=("sh",))
    assert_refused(done, 5, "standard output: Bad file descriptor")


def test_an_output_that_knows_only_ascii_gets_question_marks(tmp_path: Path) -> None:
    environment_of_1990 = {**environment(), "PYTHONIOENCODING": "ascii:strict"}
    done = subprocess.run(
        [*PRETEND, "compare", "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env=environment_of_1990,
    )
    assert done.returncode == 0, done
    assert "?" in done.stdout


def test_what_is_piped_is_plain_lines(tmp_path: Path) -> None:
    done = pretend("compare", "--out", tmp_path)
    assert "\x1b" not in done.stdout + done.stderr
    assert "\r" not in done.stdout + done.stderr
    assert [line for line in done.stderr.splitlines() if "cases judged" in line][-1] == (
        "1,000 of 1,000 cases judged"
    )


@pytest.mark.parametrize("columns", [40, 100])
def test_a_terminal_shows_a_matrix_that_grows_and_then_the_summary(tmp_path: Path, columns: int) -> None:
    terminal = pexpect.spawn(
        PRETEND[0],
        [*PRETEND[1:], "--pretend", "slow", "compare", "--out", str(tmp_path)],
        dimensions=(50, columns),
        env=environment(),
        encoding="utf-8",
        timeout=60,
    )
    terminal.expect("[1-9]00 of 1,000 cases")
    drawn = terminal.before + terminal.after
    terminal.expect("transaction")
    drawn += terminal.before
    assert "✓" in drawn
    time.sleep(0.2)
    terminal.sendintr()
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 2
    shown = visible(drawn + terminal.before).replace("\r", "\n").splitlines()
    words = [line for line in shown if not line.startswith(("blockops:", "The report:", "^C"))]
    assert max(map(len, words)) <= columns
    assert any("interrupted" in line for line in shown)


def test_marks_of_a_fault_name_no_world_and_a_pair_names_both_its_points() -> None:
    setting = case("group-snapshot.hardened.naive/group-snapshot-2/no-fault")
    pair = pairs_after(setting, HostFault(Kind.EIO, 5, Span.CLEARED))[0]
    done = run("replay", f"{setting.id.removesuffix('no-fault')}{pair}", "--out", "/nowhere")
    assert done.returncode == 0, done.stderr
    assert ", then " in done.stdout.splitlines()[1]
