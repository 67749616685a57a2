"""Tallies, contrasts, lanes and the order of reading."""

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockops.lab.results import ACTORS, Cell, Event, Portion, Results
from blockops.report.case import CaseName, case_name
from blockops.report.contrast import Reading, contrasts
from blockops.report.lanes import FAULT, lanes
from blockops.report.summary import summarise
from blockops.report.tally import Mark, tally
from tests.report.fabricated import DESIGNS, LAW_IDS, LAWS, USE_CASES, results

counts = st.integers(0, 5)
cells = st.builds(
    Cell,
    contestant=st.just("x"),
    profile=st.sampled_from(["as-posted", "hardened"]),
    manager=st.sampled_from(["naive", "careful"]),
    use_case=st.just("retry-2"),
    law=st.sampled_from(LAW_IDS[:3]),
    held=counts,
    violated=counts,
    unknown=counts,
    not_exercised=counts,
)


@given(st.lists(cells, max_size=6))
def test_only_what_was_held_at_least_once_and_never_violated_is_marked_held(drawn: list[Cell]) -> None:
    added = tally(drawn)
    held = any(cell.held for cell in drawn) and not any(cell.violated for cell in drawn)
    assert (added.mark is Mark.HELD) == held
    assert added.cases == sum(c.held + c.violated + c.unknown + c.not_exercised for c in drawn)


@given(st.lists(cells, max_size=12))
def test_a_contrast_exists_for_exactly_the_laws_that_broke(drawn: list[Cell]) -> None:
    assert [contrast.law for contrast in contrasts(drawn, LAW_IDS)] == [
        law for law in LAW_IDS if any(cell.violated for cell in drawn if cell.law == law)
    ]


ONE: dict[str, dict[str, Any]] = {name: {name: 1} for name in ("held", "violated", "not_exercised")}


def contrast_of(**verdicts: str) -> Reading:
    made = []
    for key, verdict in verdicts.items():
        profile, manager = key.replace("_", "-").split("--")
        made.append(Cell("x", profile, manager, "retry-2", "tidy", **ONE[verdict]))
    (contrast,) = contrasts(made, ["tidy"])
    return contrast.reading


def compared(naive: int, careful: int) -> str:
    made = [
        Cell("x", "hardened", manager, "retry-2", "tidy", held=10, violated=number)
        for manager, number in (("naive", naive), ("careful", careful))
    ]
    return contrasts(made, ["tidy"])[0].worse


def test_a_contrast_says_where_the_careful_manager_makes_it_worse() -> None:
    assert compared(1, 2) == "the careful manager makes it worse"
    assert compared(2, 2) == compared(2, 1) == ""
    cells = [
        Cell("x", profile, manager, "retry-2", "tidy", held=10, violated=number)
        for profile, counts in (("as-posted", (3, 2)), ("hardened", (0, 1)))
        for manager, number in zip(("naive", "careful"), counts, strict=True)
    ]
    (contrast,) = contrasts(cells, ["tidy"])
    assert contrast.worse == "the careful manager makes it worse, hardened"


def test_whose_doing_is_read_from_profile_and_manager() -> None:
    broken, held = "violated", "held"
    assert contrast_of(as_posted__careful=broken, hardened__naive=held, hardened__careful=held) is (
        Reading.IMPLEMENTATION
    )
    assert contrast_of(as_posted__careful=broken, hardened__naive=broken, hardened__careful=held) is (
        Reading.MANAGEMENT
    )
    assert contrast_of(as_posted__careful=broken, hardened__careful=broken) is Reading.REMAINS
    assert contrast_of(as_posted__careful=broken, hardened__naive=broken, hardened__careful=broken) is (
        Reading.REMAINS
    )
    assert contrast_of(as_posted__careful=broken, hardened__naive=held, hardened__careful=broken) is (
        Reading.CAREFUL
    )
    assert contrast_of(as_posted__careful=held, hardened__careful=broken) is Reading.ADDED
    assert contrast_of(as_posted__careful=broken, hardened__careful="not_exercised") is Reading.OPEN
    assert contrast_of(as_posted__careful=broken) is Reading.ONE_PROFILE
    assert contrast_of(as_posted__naive=held, as_posted__careful=broken) is Reading.ONE_PROFILE


events = st.lists(
    st.builds(Event, step=st.integers(0, 5), actor=st.sampled_from(ACTORS), text=st.text(max_size=3))
)


def test_what_an_actor_does_several_times_on_end_is_one_row_of_lanes() -> None:
    waits = [Event(step, "hypervisor", "waits: drain d0") for step in (3, 5, 6)]
    (row, last) = lanes([*waits, Event(7, "guest", "flush")]).rows
    assert (row.steps, row.says("hypervisor"), row.says("guest")) == ("3–6", "waits: drain d0 (×3)", "")
    assert (last.steps, last.says("guest")) == ("7", "flush")


@given(events)
def test_lanes_lose_no_event_and_keep_their_order(drawn: list[Event]) -> None:
    drawing = lanes(drawn)
    read = [
        (actor, text)
        for row in drawing.rows
        for actor, text in ([(FAULT, row.fault)] if row.fault is not None else row.texts.items())
        for _ in range(row.times)
    ]
    assert read == [(event.actor, event.text) for event in drawn]
    steps = [step for row in drawing.rows for step in {row.step: None, row.until: None}]
    assert {event.step for event in drawn} >= set(steps)
    assert all(row.times > 1 or row.step == row.until for row in drawing.rows)
    assert {actor for row in drawing.rows for actor in row.texts} <= set(drawing.actors)


@pytest.mark.parametrize(
    ("case", "name"),
    [
        (
            "freeze.as-posted.careful/group-snapshot-2/eio@17",
            CaseName("freeze.as-posted.careful", "group-snapshot-2", "", "eio@17"),
        ),
        (
            "freeze.as-posted.careful/retry-2~3fa9c1/kill@step-3",
            CaseName("freeze.as-posted.careful", "retry-2", "3fa9c1", "kill@step-3"),
        ),
        ("nonsense", CaseName("nonsense", "", "", "")),
    ],
)
def test_a_case_id_comes_apart(case: str, name: CaseName) -> None:
    assert case_name(case) == name


def test_the_pages_proposals_come_before_the_baselines_whatever_the_order_of_the_run() -> None:
    made = attrs.evolve(results(), designs=tuple(reversed(DESIGNS)))
    summary = summarise(made, LAWS)
    assert [chapter.design.page for chapter in summary.chapters] == [True] * 4 + [False] * 3
    assert len(summary.proposals) == 4
    assert len(summary.baselines) == 3


def test_every_field_of_the_overview_adds_up_to_its_use_cases() -> None:
    for chapter in summarise(results(), LAWS).chapters:
        for row in chapter.rows:
            for place, field in enumerate(row.fields):
                parts = [line.fields[place].tally for line in row.lines]
                assert field.tally.violated == sum(part.violated for part in parts)
                assert field.tally.held == sum(part.held for part in parts)


def test_every_violated_field_leads_to_an_exhibit_of_its_own_contestant_and_law() -> None:
    for chapter in summarise(results(), LAWS).chapters:
        exhibits = {exhibit.number: exhibit for exhibit in chapter.exhibits}
        for row in chapter.rows:
            for line in row.lines:
                for field in line.fields:
                    assert (field.exhibit is None) == (field.tally.mark is not Mark.VIOLATED)
                    if field.exhibit is not None:
                        shown = exhibits[field.exhibit.number]
                        assert shown.name.contestant == row.id
                        assert shown.name.use_case in line.group.places
                        assert shown.breaks(field.law)


def test_a_violation_seen_in_two_use_cases_is_exhibited_once_and_found_from_both() -> None:
    made = results()
    kept = [found for found in made.violations if "/retry-2/" not in found.case]
    fields = [
        (line.name, field)
        for chapter in summarise(attrs.evolve(made, violations=tuple(kept)), LAWS).chapters
        for row in chapter.rows
        for line in row.lines
        for field in line.fields
        if field.tally.violated and field.exhibit is not None
    ]
    assert any(name == "retry-2" and field.apart == field.smallest for name, field in fields)


def test_totals_add_up() -> None:
    totals = summarise(results(), LAWS).totals
    assert totals.settings == totals.finished + len(totals.grey)
    assert totals.contestants * len(USE_CASES) == totals.settings + totals.inexpressible
    assert totals.judgements == sum(counted.judged for counted in totals.by_law.values())


def test_runs_with_nothing_broken_are_not_passed_off_as_interleavings() -> None:
    """By default the paces of the guest are sampled as variants: what is left of them is `no-fault` alone."""
    made = results()
    alone = tuple(attrs.evolve(entry, portions=(Portion("no-fault", 1, 1),)) for entry in made.coverage)
    shares = summarise(attrs.evolve(made, coverage=alone), LAWS).totals.shares
    assert [share.what for share in shares] == ["cases with nothing broken"]


def test_a_contestant_that_nobody_described_is_reported_under_its_id() -> None:
    made = attrs.evolve(results(DESIGNS[:1]), designs=())
    (chapter,) = summarise(made, LAWS).chapters
    assert chapter.design.title == "group-snapshot"
    assert summarise(made, LAWS).proposals == (chapter,)


def test_results_without_a_single_case_still_make_a_summary() -> None:
    empty = Results(versions={}, seed=0, settings={}, coverage=(), cells=(), violations=(), interrupted=True)
    summary = summarise(empty, LAWS)
    assert summary.chapters == ()
    assert summary.totals.cases == 0
