"""The three sentences on a design: computed from cells, blind to names."""

import attrs
import pytest

from blockops.lab.results import Cell
from blockops.report.verdict import sentences
from tests.report.fabricated import DESIGNS, LAW_IDS, results


def cell(law: str, profile: str = "hardened", manager: str = "careful", **counts: object) -> Cell:
    values: dict[str, object] = {"use_case": "group-snapshot-2", **counts}
    return Cell(contestant="x", profile=profile, manager=manager, law=law, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.id)
def test_a_contestant_under_another_name_gets_the_same_sentences(design: attrs.AttrsInstance) -> None:
    own = [one for one in results().cells if one.contestant == getattr(design, "id", "")]
    renamed = [attrs.evolve(one, contestant="somebody-else") for one in own]
    assert own
    assert sentences(renamed, LAW_IDS) == sentences(own, LAW_IDS)


def test_what_was_never_exercised_is_said_and_not_counted_as_held() -> None:
    first, _, _ = sentences([cell("tidy", held=3), cell("sound", not_exercised=3)], ["tidy", "sound"])
    assert first == (
        "Hardened, under the careful manager, it broke none of 1 law in 3 judgements; "
        "`sound` was never exercised."
    )


def test_no_case_at_all_is_not_a_clean_bill() -> None:
    first, _, _ = sentences([cell("tidy", not_exercised=3)], ["tidy"])
    assert first == "Hardened, under the careful manager, no case exercised a law."


def test_what_was_not_reached_is_told_apart_from_what_exercised_nothing() -> None:
    posted = cell("tidy", "as-posted", manager="naive", violated=1)
    waiting = [cell("tidy", profile) for profile in ("as-posted", "hardened")]
    first, second, third = sentences([posted, *waiting, cell("tidy", manager="naive")], ["tidy"])
    assert first == "Hardened, under the careful manager, not one case was judged."
    assert second == "As posted, under the careful manager, not one case was judged."
    assert third.endswith("under a naive manager not one case was judged.")


def test_nothing_is_compared_with_a_profile_that_was_not_judged() -> None:
    _, second, _ = sentences([cell("tidy", "as-posted", held=1), cell("tidy")], ["tidy"])
    assert second == "As posted it broke no law."


def test_broken_laws_come_gravest_first_with_their_share() -> None:
    cells = [cell("tidy", held=6, violated=4), cell("sound", held=1), cell("content", violated=2, held=3)]
    first, _, _ = sentences(cells, ["content", "sound", "tidy"])
    assert first == (
        "Hardened, under the careful manager, it broke 2 of 3 laws: "
        "`content` in 2 of 5 cases and `tidy` in 4 of 10 cases."
    )


def test_a_verdict_names_the_few_use_cases_that_all_violations_come_from() -> None:
    """A design that has no mirror cannot break a law of mirrors: the others broke nothing else either."""
    cells = [cell("tidy", held=9), cell("tidy", use_case="mirror-many-2", held=1, violated=1)]
    first, _, _ = sentences(cells, ["tidy"])
    assert first == (
        "Hardened, under the careful manager, it broke 1 of 1 law, all in `mirror-many`: "
        "`tidy` in 1 of 11 cases."
    )
    first, _, _ = sentences([*cells, cell("tidy", violated=1)], ["tidy"])
    assert "all in" not in first


def test_hardening_is_said_to_mend_only_what_was_then_seen_to_hold() -> None:
    laws = ["content", "sound", "tidy"]
    posted = [cell(law, "as-posted", violated=1, held=1) for law in laws]
    hardened = [cell("content", held=2), cell("sound", violated=1, held=1), cell("tidy", not_exercised=2)]
    _, second, _ = sentences([*posted, *hardened], laws)
    assert second == (
        "Hardening mended `content`; `sound` stays broken, not removed by us; "
        "`tidy`, broken as posted, was not judged when hardened."
    )


def test_a_law_that_only_hardening_breaks_is_said() -> None:
    cells = [cell("tidy", "as-posted", held=1), cell("tidy", violated=1)]
    _, second, _ = sentences(cells, ["tidy"])
    assert second == "Only hardened it breaks `tidy`."


def test_reach_names_what_is_inexpressible_and_what_a_naive_manager_adds() -> None:
    cells = [
        cell("tidy", held=5),
        cell("tidy", manager="naive", violated=2, held=3),
        cell("tidy", use_case="migrate-one-1", inexpressible="it cannot mirror"),
    ]
    _, _, third = sentences(cells, ["tidy"])
    assert third == ("It cannot express `migrate-one`; a naive manager breaks 1 law instead of none: `tidy`.")


def test_nothing_run_says_so_three_times() -> None:
    assert sentences([], ["tidy"])[0] == "It was not run."


@pytest.mark.parametrize(
    ("lasting", "said"),
    [
        (0, "cases."),
        (1, "cases (1 under faults that struck more than once)."),
        (2, "(all under faults that struck more than once)."),
    ],
)
def test_a_verdict_tells_faults_that_go_on_from_those_that_strike_once(lasting: int, said: str) -> None:
    first, _, _ = sentences([cell("tidy", held=3, violated=2, lasting=lasting)], ["tidy"])
    assert said in first
