"""What became of the faults: struck, masked, not met; each total is the sum of what it stands for."""

import attrs

from blockops.lab.results import Coverage, Portion
from blockops.report.fates import Fate, by_contestant, by_group, fates, together
from blockops.report.html import html
from blockops.report.markdown import markdown
from blockops.report.summary import summarise
from blockops.report.totals import Share
from tests.report.fabricated import LAWS, results

PORTIONS = (
    Portion("no-fault", 1, 1),
    Portion("short", 40, 90, masked=12, not_met=3),
    Portion("pair", 9, 9, 1, 2),
)
ENTRIES = tuple(Coverage(who, "retry-2", 50, 100, 3, 9, PORTIONS, 2) for who in ("a", "b"))


def test_where_nothing_breaks_there_is_no_fault_to_be_masked() -> None:
    assert fates(ENTRIES, by_group) == (Fate("short", 74, 24, 6), Fate("pair", 14, 2, 4))
    assert fates(ENTRIES, by_contestant) == (Fate("a", 44, 13, 5), Fate("b", 44, 13, 5))


def test_the_sum_over_contestants_is_that_over_groups() -> None:
    for name in (by_contestant, by_group):
        found = fates(ENTRIES, name)
        whole = together(ENTRIES)
        for count in ("struck", "masked", "not_met"):
            assert sum(getattr(one, count) for one in found) == getattr(whole, count)


def test_what_was_judged_to_the_last_case_known_is_not_called_sampled() -> None:
    assert Share("cases", 5, 9).why(7) == "sampled with seed 7"
    assert Share("cases", 5, 9, left=2).why(7) == "sampled with seed 7; 7 were planned"
    assert Share("cases", 9, 9).why(7).startswith("truncated: ")


def test_the_report_says_how_many_were_masked_and_whose() -> None:
    made = attrs.evolve(results(), coverage=ENTRIES)
    summary = summarise(made, LAWS)
    page, text = html(summary), markdown(summary)
    assert "26 of 88 faults that struck were masked" in text
    assert "10 more struck nothing" in text
    assert "| short | 74 | 24 | 32.4 % | 6 |" in text
    assert "<dt>26 of 88</dt>" in page
    assert 'id="masked"' in page
