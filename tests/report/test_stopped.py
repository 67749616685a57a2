"""What the report says of a run that was stopped: how far it came, and of what."""

import io
from collections.abc import Callable

import attrs
import pytest
from rich.console import Console

from blockops.lab.results import Cell, Coverage, Portion, Results, Scene, Suffering
from blockops.report.html import html
from blockops.report.markdown import markdown
from blockops.report.summary import Summary, summarise
from blockops.report.terminal import print_summary
from tests.report.fabricated import LAWS

WHO = "x.hardened.careful"


def printed(summary: Summary) -> str:
    console = Console(file=io.StringIO(), width=80, force_terminal=False, color_system=None)
    print_summary(console, summary)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


FORMS: list[Callable[[Summary], str]] = [html, markdown, printed]


def stopped(*coverage: Coverage, uncounted: tuple[str, ...] = (), interrupted: bool = True) -> Summary:
    places = [*(entry.use_case for entry in coverage), *uncounted]
    cells = tuple(Cell("x", "hardened", "careful", place, law.id) for place in places for law in LAWS)
    made = Results({"blockops": "0"}, 7, {}, coverage, cells, (), interrupted=interrupted)
    return summarise(made, LAWS)


WHOLE = Coverage(WHO, "retry-2", 40, 100, 3, 9, (Portion("eio", 40, 100),), 2, truncated=True, left=60)
DRAWN = Coverage(WHO, "retry-3", 5, 900, 3, 9, (Portion("eio", 5, 900),), 3, True, True, left=15)
PAIRS = Coverage(WHO, "retry-2 pairs", 0, 0, 0, 9, (), 2, True, True, left=150)


@pytest.mark.parametrize("form", FORMS)
def test_a_stopped_run_says_how_many_of_its_planned_cases_it_judged(form: Callable[[Summary], str]) -> None:
    text = form(stopped(WHOLE, DRAWN, PAIRS))
    assert "This run was stopped after 45 of at most 270 planned cases" in text
    assert "after 45 of 120 planned cases" in form(stopped(WHOLE, DRAWN))
    assert "stopped" not in form(stopped(attrs.evolve(WHOLE, truncated=False, left=0), interrupted=False))


@pytest.mark.parametrize("form", FORMS)
def test_what_was_only_to_be_sampled_is_no_part_of_what_was_to_be_exhausted(
    form: Callable[[Summary], str],
) -> None:
    text = (
        form(stopped(WHOLE, DRAWN, PAIRS)).replace("</dt><dd>", " ").replace('</dt><dd class="sampled">', " ")
    )
    assert "40 of 100 host faults" in text
    assert "5 of 900 cases with 3 devices" in text
    assert "20 were planned" in text
    assert "1,0" not in text
    assert "3 of 9 host operations, which failed so far" in text


@pytest.mark.parametrize("form", FORMS)
def test_pairs_that_a_stopped_run_did_not_come_to_are_not_given_a_number(
    form: Callable[[Summary], str],
) -> None:
    text = form(stopped(WHOLE, PAIRS)).replace('</dt><dd class="sampled">', " ")
    assert "none yet" in text
    assert "0 of 0 pairs" not in text


@pytest.mark.parametrize("form", FORMS)
def test_a_run_that_was_stopped_while_it_counted_gives_no_total(form: Callable[[Summary], str]) -> None:
    text = form(stopped(attrs.evolve(WHOLE, cases=0, left=100), uncounted=("retry-3", "mixed-3")))
    assert "stopped while it still counted what there is to judge, in 1 of 3 settings by then" in text
    assert "planned" not in text.replace("as far as planned", "")
    assert "of 100" not in text.replace("0 of 100, truncated", "").replace("0 of 100 case", "")
    assert "2 not counted yet" in text


def test_a_run_that_was_stopped_after_its_last_case_says_so() -> None:
    done = attrs.evolve(WHOLE, cases=100, truncated=False, left=0)
    assert stopped(done).totals.stopped == (
        "This run was stopped after its 100 cases, and before all that follows them."
    )


def test_host_operations_are_not_said_to_have_failed_in_ways_that_were_sampled() -> None:
    whole = attrs.evolve(WHOLE, truncated=False, left=0)
    variants = attrs.evolve(DRAWN, use_case="retry-2 variants", truncated=False, left=0)
    assert stopped(whole).totals.ways.endswith(
        "once, lastingly and until cleared, before the effect and after it"
    )
    assert stopped(whole, variants).totals.ways.endswith("but for the variants that are sampled")


def test_settings_are_finished_sampled_or_truncated() -> None:
    rest = attrs.evolve(DRAWN, use_case="mixed-3", truncated=False, left=0)
    totals = stopped(WHOLE, DRAWN, PAIRS, rest, uncounted=("give-up-2",)).totals
    assert (totals.finished, totals.sampled, len(totals.truncated), totals.uncounted) == (0, 1, 3, 1)


def test_a_contestant_that_was_cut_off_is_marked_as_truncated_in_the_terminal() -> None:
    assert "· truncated" in printed(stopped(WHOLE))
    rest = attrs.evolve(WHOLE, sampled=True, truncated=False, left=0)
    assert [row.how for row in stopped(WHOLE).chapters[0].rows] == ["truncated"]
    assert [row.how for row in stopped(rest).chapters[0].rows] == ["sampled"]


def test_one_use_case_that_is_complete_does_not_hide_that_the_rest_was_cut_off() -> None:
    done = attrs.evolve(WHOLE, use_case="give-up-2", cases=100, truncated=False, left=0)
    assert [row.how for row in stopped(done, WHOLE).chapters[0].rows] == ["truncated"]
    assert [
        row.how for row in stopped(done, attrs.evolve(DRAWN, truncated=False, left=0)).chapters[0].rows
    ] == [""]


def test_nothing_is_said_of_a_contestant_of_which_no_case_was_judged() -> None:
    first, second, third = stopped(attrs.evolve(WHOLE, cases=0)).chapters[0].sentences
    assert first == "Not one case of it was judged."
    assert second == "So nothing is known of its hardening."
    assert third == "It expresses its one use case."


SCENE = Scene(
    id="stuck-frozen",
    kind="F1",
    says="Freeze without thaw.",
    tells="A guest is held back.",
    use_case="group-snapshot",
    faults=("eio",),
    reports=(),
    rows=(
        Suffering("a.hardened.naive", 9, 9, 0),
        Suffering("b.hardened.naive", 4, 4, 0, partly=True),
        Suffering("c.hardened.naive", 4, 4, 2, "c/eio@1", "It waits.", partly=True),
    ),
)


@pytest.mark.parametrize("form", [html, markdown])
def test_what_was_judged_in_part_is_not_said_to_be_spared(form: Callable[[Summary], str]) -> None:
    whole = stopped(WHOLE)
    text = form(summarise(attrs.evolve(whole.results, scenes=(SCENE,)), LAWS))
    assert "Not seen in a.hardened.naive." in text
    assert "Judged in part, not seen so far: b.hardened.naive." in text
    assert "in 2 of 4 cases, judged in part: It waits." in text


def test_the_terminal_says_how_many_were_judged_in_part() -> None:
    made = attrs.evolve(stopped(WHOLE).results, scenes=(SCENE,), settings={"scenarios": ["stuck-frozen"]})
    assert "1 of 3 contestants (2 judged in part) suffered it" in printed(summarise(made, LAWS))
