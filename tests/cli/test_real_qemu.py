"""`blockops compare` with a real QEMU, which takes part only where it is named."""

import json
from pathlib import Path

import pytest

from tests.cli.program import assert_refused, run

NAME = "real-qemu-transaction.hardened.naive"
NAMED = ("--contestant", NAME, "--use-case", "group-snapshot", "--devices", "2")


@pytest.mark.real_tool("qemu-system-x86_64", "cc")
def test_a_real_qemu_stands_in_the_matrix_where_it_is_named(tmp_path: Path) -> None:
    done = run("compare", *NAMED, "--fault", "no-fault", "--fault", "occupied", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert {cell["contestant"] for cell in report["cells"]} == {"real-qemu-transaction"}
    assert report["versions"]["qemu"][0].isdigit()
    assert report["broken_invariants"] == []


@pytest.mark.real_tool("qemu-system-x86_64", "cc")
def test_a_case_of_a_real_qemu_is_replayed() -> None:
    done = run("replay", "real-qemu-loop.hardened.naive/group-snapshot-2/no-fault")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("blockdev-snapshot-sync: ok") == 2


@pytest.mark.parametrize(
    "command", [("compare", *NAMED), ("replay", "real-qemu-loop.hardened.naive/retry-2/no-fault")]
)
def test_without_what_it_needs_one_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    out = ("--out", str(tmp_path / "report")) if command[0] == "compare" else ()
    monkeypatch.setenv("PATH", str(tmp_path))
    done = run(*command, *out)
    assert_refused(done, 4, "qemu-system-x86_64", "cc", "apt install")
    assert not (tmp_path / "report").exists()
