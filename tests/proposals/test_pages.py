"""The pages in docs/proposals say what the code does: tables, reasons, links, programs and their output."""

import contextlib
import io

import pytest

from blockops.graph.graph import MAX_CHAIN
from blockops.management.contestant import Entry, Inexpressible
from proposals.freeze.commands import GRACE_STEPS
from tests.proposals.pages import (
    FOLDER,
    PAGES,
    STATES,
    command_table,
    links,
    programs,
    state_table,
    text_of,
)

ENTRIES = [(page, entry) for page, entries in PAGES.items() for entry in entries]
IDS = [f"{page}-{entry.id}" for page, entry in ENTRIES]


def test_there_is_one_page_for_each_proposal_and_one_for_the_baselines() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.md")) == sorted(PAGES)


@pytest.mark.parametrize(("page", "entry"), ENTRIES, ids=IDS)
def test_a_pages_commands_are_the_codes(page: str, entry: Entry) -> None:
    assert command_table(entry) in text_of(page)


@pytest.mark.parametrize("page", STATES)
def test_a_pages_states_are_the_codes(page: str) -> None:
    assert state_table(STATES[page]) in text_of(page)


@pytest.mark.parametrize(("page", "entry"), ENTRIES, ids=IDS)
def test_a_page_gives_the_codes_reason_for_all_that_cannot_be_expressed(page: str, entry: Entry) -> None:
    text = " ".join(text_of(page).split())
    for by_use_case in entry.programs.values():
        for program in by_use_case.values():
            assert not isinstance(program, Inexpressible) or program.reason in text


@pytest.mark.parametrize(
    ("page", "number"),
    [("freeze", f"{GRACE_STEPS} steps"), ("group-snapshot", f"more than {MAX_CHAIN} images")],
)
def test_a_pages_numbers_are_the_codes(page: str, number: str) -> None:
    assert number in text_of(page)


@pytest.mark.parametrize("page", PAGES)
def test_a_pages_links_lead_somewhere(page: str) -> None:
    assert links(page)
    for link in links(page):
        assert (FOLDER / link).exists(), link


@pytest.mark.parametrize("page", PAGES)
def test_a_pages_program_prints_what_the_page_says(page: str) -> None:
    found = programs(page)
    assert found, "no program"
    for program, promised in found:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(program, f"{page}.md", "exec"), {"__name__": "example"})
        assert printed.getvalue() == promised
