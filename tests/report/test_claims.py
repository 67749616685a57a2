"""The page's claims and the costs in every form of the report."""

import html as escaping
import io
from collections.abc import Callable

import attrs
import pytest
from rich.console import Console

from blockops.lab.results import Answer
from blockops.report.claims import COLUMNS, SIGNS, bill, series
from blockops.report.html import html
from blockops.report.markdown import markdown
from blockops.report.summary import Summary, summarise
from blockops.report.terminal import print_claims, print_summary
from tests.report.fabricated import LAWS, results

FORMS = [html, markdown]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_has_each_claim_with_its_answer_conditions_and_cases(
    form: Callable[[Summary], str],
) -> None:
    text = escaping.unescape(form(summarise(results(), LAWS)))
    for claim in results().claims:
        for part in (
            claim.says,
            claim.sentence,
            claim.confirms,
            claim.refutes,
            claim.profiles,
            claim.answer.value,
        ):
            assert part in text
        for case in claim.cases:
            assert case in text


@pytest.mark.parametrize("form", FORMS)
def test_a_narrow_run_says_that_it_did_not_ask(form: Callable[[Summary], str]) -> None:
    narrow = attrs.evolve(results(), claims=(), costs=(), efforts=())
    text = form(summarise(narrow, LAWS))
    assert "were not put to the test" in text
    assert "Not measured in a run" in text


@pytest.mark.parametrize("form", FORMS)
def test_every_form_has_each_cost_over_the_numbers_of_devices(form: Callable[[Summary], str]) -> None:
    text = form(summarise(results(), LAWS))
    cost = results().costs[-1]
    assert all(series(cost, column) in text for column in COLUMNS)


def test_a_measure_that_does_not_depend_on_the_devices_is_one_number() -> None:
    cost = results().costs[1]
    by_title = {column.title: series(cost, column) for column in COLUMNS}
    assert by_title["commands"] == "1"
    assert by_title["fallible steps"] == "3, 6, 12, 24"


def test_every_answer_has_a_sign_of_its_own() -> None:
    assert len({SIGNS[answer].symbol for answer in Answer}) == len(Answer)


def test_the_answers_are_counted() -> None:
    assert bill(results()).answers == "1 confirmed, 1 refuted, 1 inconclusive, 1 historical"


def printed(width: int, *, terminal: bool, details: bool) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=terminal, color_system=None)
    print_claims(console, results().claims, details=details)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 120])
def test_claims_fit_a_terminal_and_are_whole_lines_in_a_pipe(width: int) -> None:
    shown = [line.strip() for line in printed(width, terminal=True, details=True)]
    commands = [f"blockops replay {case}" for claim in results().claims for case in claim.cases]
    assert max(len(line) for line in shown if line not in commands) <= width
    assert set(commands) <= set(shown)  # whole, to be copied
    piped = [line.strip() for line in printed(width, terminal=False, details=True)]
    for claim in results().claims:
        assert claim.sentence in piped
        assert f"blockops replay {claim.cases[0]}" in piped


def test_the_summary_has_the_claims_as_one_table() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None)
    print_summary(console, summarise(results(), LAWS))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    for claim in results().claims:
        assert f"{claim.id} {SIGNS[claim.answer].symbol} {claim.answer.value}" in text
