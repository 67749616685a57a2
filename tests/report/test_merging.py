"""Which places share a row of the matrix, and that nothing is lost by it."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockops.lab.results import Cell, Coverage, Portion, Results
from blockops.report.case import Place, place_of, setting_of
from blockops.report.html import html
from blockops.report.markdown import markdown
from blockops.report.merging import groups
from blockops.report.summary import Line, Remainder, Summary, summarise
from tests.report.fabricated import LAWS, results

WHOLE = ("retry-2", "retry-2~0aa", "retry-1")
DRAWN = ("retry-2 pairs", "retry-3", "retry-4", "retry-6", "retry-2~3fa", "retry-2~4fa")


def covered(place: str, *, sampled: bool = False, truncated: bool = False) -> Coverage:
    return Coverage("x.y.z", place, 3, 9, 1, 4, (), 2, sampled=sampled, truncated=truncated)


def named(whole: tuple[str, ...], drawn: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    places = {place: covered(place, sampled=place in drawn) for place in (*whole, *drawn)}
    return {group.name: group.places for group in groups(places, ())}


def test_what_was_judged_to_the_last_case_has_a_row_for_itself_and_what_was_sampled_is_merged() -> None:
    assert named(WHOLE, DRAWN) == {
        "retry-2": ("retry-2",),
        "retry-2~0aa": ("retry-2~0aa",),
        "retry-1": ("retry-1",),
        "retry-2 pairs": ("retry-2 pairs",),
        "retry with 3–4, 6 devices": ("retry-3", "retry-4", "retry-6"),
        "retry in 2 further worlds": ("retry-2~3fa", "retry-2~4fa"),
    }


def test_a_sort_of_faults_that_nobody_has_heard_of_is_one_more_row() -> None:
    assert named(("retry-2",), ("retry-2 until cleared", "retry-2 pairs", "retry-3 until cleared")) == {
        "retry-2": ("retry-2",),
        "retry until cleared": ("retry-2 until cleared", "retry-3 until cleared"),
        "retry-2 pairs": ("retry-2 pairs",),
    }


def test_the_first_place_of_a_use_case_stands_alone_though_sampled() -> None:
    assert named((), ("mixed-3", "mixed-4", "mixed-5")) == {
        "mixed-3": ("mixed-3",),
        "mixed with 4–5 devices": ("mixed-4", "mixed-5"),
    }


def test_a_use_case_that_cannot_be_asked_for_is_one_row() -> None:
    places = ("retry-2", "retry-1", "retry-2~3fa", "mixed-3")
    found = groups(dict.fromkeys(places), set(places[:3]))
    assert [(group.name, group.places) for group in found] == [
        ("retry", ("retry-2", "retry-1", "retry-2~3fa")),
        ("mixed-3", ("mixed-3",)),
    ]


places = st.builds(
    "{}-{}{}{}".format,
    st.sampled_from(["retry", "give-up"]),
    st.integers(1, 8),
    st.sampled_from(["", "~3fa", "~4fb"]),
    st.sampled_from(["", " pairs", " after the effect"]),
)


@given(st.dictionaries(places, st.tuples(st.booleans(), st.booleans())), st.sets(places))
def test_every_place_is_in_exactly_one_row_and_every_row_has_a_name_of_its_own(
    drawn: dict[str, tuple[bool, bool]], inexpressible: set[str]
) -> None:
    given_ = {name: covered(name, sampled=one, truncated=two) for name, (one, two) in drawn.items()}
    found = groups(given_, inexpressible)
    assert sorted(place for group in found for place in group.places) == sorted(drawn)
    assert len({group.name for group in found}) == len(found)
    for group in found:
        expressible = [given_[place] for place in group.places if place not in inexpressible]
        assert len(group.places) == 1 or all(entry.sampled or entry.truncated for entry in expressible)


@pytest.mark.parametrize(
    ("name", "place", "setting"),
    [
        ("give-up-2", Place("give-up", "2", "", ""), "give-up-2"),
        ("retry-12~3fa pairs", Place("retry", "12", "3fa", "pairs"), "retry-12~3fa"),
        ("mixed-3 until cleared", Place("mixed", "3", "", "until cleared"), "mixed-3"),
    ],
)
def test_a_place_comes_apart(name: str, place: Place, setting: str) -> None:
    assert place_of(name) == place
    assert setting_of(name) == setting


def sampled() -> Results:
    """The fabricated results, with two more numbers of devices and a new sort of faults, all sampled."""
    made = results()
    own = [cell for cell in made.cells if cell.use_case == "group-snapshot-2"]
    tried = [entry for entry in made.coverage if entry.use_case == "group-snapshot-2"]
    more = ("group-snapshot-4", "group-snapshot-5", "group-snapshot-2 until cleared")
    return attrs.evolve(
        made,
        cells=(*made.cells, *(_at(cell, place) for cell in own for place in more)),
        coverage=(*made.coverage, *(_tried(entry, place) for entry in tried for place in more)),
    )


def _at(cell: Cell, place: str) -> Cell:
    smallest = cell.smallest and cell.smallest.replace("/group-snapshot-2/", f"/{setting_of(place)}/")
    return attrs.evolve(cell, use_case=place, smallest=smallest, sampled=True)


def _tried(entry: Coverage, place: str) -> Coverage:
    return attrs.evolve(
        entry,
        use_case=place,
        cases=852,
        space=5000,
        sampled=True,
        devices=int(place_of(place).devices),
        portions=(Portion("eio", 852, 5000),),
    )


@pytest.fixture(scope="module")
def summary() -> Summary:
    return summarise(sampled(), LAWS)


def lines(summary: Summary, name: str) -> list[Line]:
    return [
        line
        for chapter in summary.chapters
        for row in chapter.rows
        for line in row.lines
        if line.name == name
    ]


def test_a_merged_row_is_grey_and_adds_its_places_up(summary: Summary) -> None:
    merged, single = lines(summary, "group-snapshot with 3–5 devices"), lines(summary, "group-snapshot-2")
    assert merged
    assert len(merged) == len(single)
    for line, own in zip(merged, single, strict=True):
        assert line.grey
        assert not own.grey
        assert line.extent == "2,556 of 10,912, sampled"
        assert line.about == "group-snapshot-3, group-snapshot-4, group-snapshot-5"
        assert all(
            field.tally.cases == 3 * field_.tally.cases
            for field, field_ in zip(line.fields, own.fields, strict=True)
        )


@pytest.mark.parametrize("form", [html, markdown])
def test_merged_rows_and_a_new_sort_of_faults_are_in_every_form(summary: Summary, form: object) -> None:
    assert callable(form)
    text = form(summary)
    for name in ("group-snapshot with 3–5 devices", "group-snapshot-2 until cleared"):
        assert name in text
    assert "group-snapshot-4 " not in text
    assert "cases, until cleared" in text


def test_what_was_not_exhausted_is_added_up_over_the_contestants(summary: Summary) -> None:
    rest = {one.name: one for one in summary.remainders}
    assert set(rest) == {"group-snapshot with 3–5 devices", "group-snapshot-2 until cleared"}
    number = len(lines(summary, "group-snapshot with 3–5 devices"))
    assert rest["group-snapshot with 3–5 devices"].contestants == number
    assert rest["group-snapshot with 3–5 devices"].cases == 2556 * number
    assert sum(one.space for one in rest.values()) == sum(entry.space for entry in summary.totals.grey)


def test_one_case_that_breaks_two_laws_is_drawn_once_and_both_fields_lead_to_it() -> None:
    made = results()
    first = made.violations[0]
    other = attrs.evolve(first, law="progress", sentence="it never went on", signature="other")
    cell = next(one for one in made.cells if one.smallest == first.case)
    both = summarise(
        attrs.evolve(
            made, cells=(cell, attrs.evolve(cell, law="progress")), violations=(first, other), coverage=()
        ),
        LAWS,
    )
    (chapter,) = both.chapters
    (exhibit,) = chapter.exhibits
    assert [found.law for found in exhibit.violations] == [first.law, "progress"]
    leading = {field.law for field in chapter.rows[0].fields if field.exhibit is exhibit}
    assert leading == {first.law, "progress"}
    for form in (html(both), markdown(both)):
        assert form.count("it never went on") == 1
        assert form.count(first.replay) == 1


def test_operations_of_the_host_are_counted_only_where_some_were_to_be_broken() -> None:
    many = Remainder("retry-3", contestants=1, cases=1, space=900, points=1, all_points=40)
    assert many.words == "retry-3: 1 of 900 cases of 1 contestant, on 1 of 40 host operations"
    assert attrs.evolve(many, all_points=0).words == "retry-3: 1 of 900 cases of 1 contestant"
    assert attrs.evolve(many, all_points=0, space=0).words == "retry-3: no case yet of 1 contestant"


def test_a_field_leads_to_its_smallest_case_even_if_that_is_not_the_first_to_be_drawn() -> None:
    made = results()
    first = made.violations[0]
    other = attrs.evolve(first, case=f"{first.case}00", sentence="it broke otherwise")
    cell = next(one for one in made.cells if one.smallest == first.case)
    later = attrs.evolve(cell, smallest=other.case)
    (chapter,) = summarise(
        attrs.evolve(made, cells=(later,), violations=(first, other), coverage=()), LAWS
    ).chapters
    (field,) = [field for field in chapter.rows[0].lines[0].fields if field.tally.violated]
    assert field.exhibit is not None
    assert (field.exhibit.case, field.apart) == (other.case, None)
