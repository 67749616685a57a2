"""The README says nothing that is not true: its program runs and prints what it says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from proposals.cli.exits import Exit

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(language: str) -> list[str]:
    """The README's code blocks in *language*."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGES[0].read_text(), re.MULTILINE | re.DOTALL)


def test_the_example_prints_what_the_readme_says() -> None:
    (program,) = blocks("python")
    expected = blocks("text")[0]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert [line.rstrip() for line in done.stdout.splitlines()] == expected.splitlines()


def test_there_is_one_command_to_run_it_and_one_to_test_it() -> None:
    commands = [line for block in blocks("sh") for line in block.splitlines()]
    assert len(commands) == 2
    assert commands[0].endswith("blockops compare")
    assert "pytest" in commands[1]


def test_the_exit_codes_are_those_of_the_program() -> None:
    table = re.findall(r"^\| (\d) \|", PAGES[0].read_text(), re.MULTILINE)
    assert [int(code) for code in table] == sorted(Exit)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?://|#)([^)#]+)(?:#[^)]*)?\)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []
