"""The README says nothing that is not true: its program runs and prints what it says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from blockops.lab.faults.power import LYING, POWER
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


def test_faults_that_a_comparison_tries_only_when_asked_are_named() -> None:
    text = PAGES[0].read_text()
    assert all(f"`--fault {name}`" in text for name in (POWER, LYING))


def test_the_reading_order_leads_to_every_part_of_the_lab() -> None:
    text = (ROOT / "docs" / "reading-order.md").read_text()
    parts = [init.parent.name for init in (ROOT / "blockops" / "lab").glob("*/__init__.py")]
    assert parts
    assert [part for part in parts if f"{part}/" not in text] == []


@pytest.mark.parametrize("word", ["power cut", "persistence model", "order", "departure", "pair", "span"])
def test_what_a_case_id_is_made_of_is_in_the_glossary(word: str) -> None:
    assert f"| **{word}** |" in (ROOT / "docs" / "glossary.md").read_text()
