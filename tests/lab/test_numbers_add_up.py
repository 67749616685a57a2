"""Every total of a real report is the sum of its parts: what the coverage box says can be counted again."""

import json
import re
from collections import Counter
from typing import Any

import pytest

import blockops.lab.settings as settings_module
from blockops.lab import compare as compare_module
from blockops.lab.compare import Settings, compare
from blockops.lab.laws import LAWS
from blockops.lab.policy import Policy
from blockops.lab.results import Results, ToolSample
from blockops.report.document import to_text
from blockops.report.fates import by_contestant, by_group, fates
from blockops.report.html import html
from blockops.report.summary import Summary, summarise
from proposals.catalogue import contestants

LITTLE = Policy(
    odd=30,
    others=30,
    worlds=20,
    variants=30,
    pairs=30,
    power=40,
    orders=("group-snapshot",),
    deeper=(),
    crossed=21,
    most=8,
    inner=False,
)

SAMPLED = Settings(
    use_cases=("group-snapshot", "migrate-one"),
    contestants=(
        "transaction.hardened.careful",
        "naive-loop.as-posted.naive",
        "group-snapshot.hardened.naive",
    ),
    jobs=1,
    examples=0,
)
TO_THE_LAST = Settings(
    devices=2,
    use_cases=("group-snapshot",),
    contestants=("transaction.hardened.careful",),
    faults=("power", "lying", "eio", "kill"),
    jobs=1,
    examples=0,
)


def made(settings: Settings) -> Results:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compare_module, "sample_images", lambda settings, parts: ToolSample())
        patch.setattr(settings_module, "DEFAULT", LITTLE)
        return compare(settings, contestants, lambda progress: None)


@pytest.fixture(scope="module", params=[SAMPLED, TO_THE_LAST], ids=["sampled", "to the last case"])
def results(request: pytest.FixtureRequest) -> Results:
    return made(request.param)


@pytest.fixture(scope="module")
def report(results: Results) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(to_text(results, tuple(LAWS)))
    return plain


@pytest.fixture(scope="module")
def summary(results: Results) -> Summary:
    return summarise(results, LAWS)


def of(entry: dict[str, Any], report: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the cells of a coverage entry."""
    place = entry["contestant"], entry["use_case"]
    return [cell for cell in report["cells"] if (_who(cell), cell["use_case"]) == place]


def _who(cell: dict[str, Any]) -> str:
    return f"{cell['contestant']}.{cell['profile']}.{cell['manager']}"


# ---------------------------------------------------------------------------------- each entry by itself


def test_cases_and_spaces_are_the_sums_of_their_portions(report: dict[str, Any]) -> None:
    assert report["coverage"]
    for entry in report["coverage"]:
        assert entry["cases"] == sum(portion["judged"] for portion in entry["portions"]), entry
        assert entry["space"] == sum(portion["of"] for portion in entry["portions"]), entry
        for portion in entry["portions"]:
            assert portion["masked"] + portion["not_met"] <= portion["judged"] <= portion["of"], entry
        assert 0 <= entry["equal"] < entry["cases"] <= entry["space"], entry
        assert entry["fault_points"] <= entry["all_fault_points"], entry


def test_every_law_says_one_thing_of_every_case(report: dict[str, Any]) -> None:
    for entry in report["coverage"]:
        cells = of(entry, report)
        assert [cell["law"] for cell in cells] == [law.id for law in LAWS]
        for cell in cells:
            verdicts = ("held", "violated", "unknown", "not_exercised")
            assert sum(cell[verdict] for verdict in verdicts) == entry["cases"], cell
            assert cell["lasting"] <= cell["violated"], cell


def test_violated_cases_are_those_of_the_distinct_violations(report: dict[str, Any]) -> None:
    ways: Counter[tuple[str, str, str]] = Counter()
    for one in report["distinct"]:
        ways[one["contestant"], one["use_case"], one["law"]] += one["count"]
    for cell in report["cells"]:
        assert ways[_who(cell), cell["use_case"], cell["law"]] == cell["violated"], cell
    counted = Counter(one["law"] for one in report["violations"] for _ in range(one["count"]))
    assert counted == Counter(law for (_, _, law), count in ways.items() for _ in range(count))


def test_states_after_power_cuts_are_distinct_remembered_equal_or_left_out(report: dict[str, Any]) -> None:
    cuts = [entry for entry in report["coverage"] if entry["power"] is not None]
    assert cuts
    for entry in cuts:
        power = entry["power"]
        parts = ("distinct", "remembered", "equal", "left_out")
        assert sum(power[part] for part in parts) == power["raw"], entry
        assert (power["distinct"], power["instants"]) == (entry["space"], entry["all_fault_points"])
        assert (power["truncated"] > 0) >= (power["left_out"] > 0)


def test_an_entry_is_whole_or_it_says_that_it_is_not(report: dict[str, Any]) -> None:
    for entry in report["coverage"]:
        whole = entry["cases"] == entry["space"] and not (entry["power"] or {}).get("truncated")
        assert whole is not (entry["sampled"] or entry["truncated"]), entry
        assert (entry["left"] > 0) is entry["truncated"], entry
        assert {cell["sampled"] for cell in of(entry, report)} == {not whole}, entry


# -------------------------------------------------------------------------------------- the box


def test_the_cases_of_the_box_are_those_of_its_lines(report: dict[str, Any], summary: Summary) -> None:
    box, entries = summary.totals, report["coverage"]
    assert box.cases == sum(entry["cases"] for entry in entries)
    assert box.equal == sum(entry["equal"] for entry in entries)
    assert sum(line.judged for line in (*box.shares, *box.samples)) == box.cases
    assert sum(line.of for line in (*box.shares, *box.samples)) == sum(entry["space"] for entry in entries)
    assert box.judgements == sum(
        cell["held"] + cell["violated"] + cell["unknown"] for cell in report["cells"]
    )


def test_settings_are_finished_sampled_truncated_or_inexpressible(
    report: dict[str, Any], summary: Summary
) -> None:
    box, entries = summary.totals, report["coverage"]
    whole = [entry for entry in entries if not entry["sampled"] and not entry["truncated"]]
    sampled = [entry for entry in entries if entry["sampled"] and not entry["truncated"]]
    assert (box.finished, box.sampled) == (len(whole), len(sampled))
    assert box.finished + box.sampled + len(box.truncated) == box.settings == len(entries)
    asked = {(_who(cell), cell["use_case"]) for cell in report["cells"] if not cell["inexpressible"]}
    never = {(_who(cell), cell["use_case"]) for cell in report["cells"] if cell["inexpressible"]}
    assert (len(asked), len(never)) == (box.settings, box.inexpressible)


def test_faults_struck_or_were_not_met_whichever_way_they_are_counted(
    results: Results, summary: Summary
) -> None:
    harmless = sum(
        portion.judged
        for entry in results.coverage
        for portion in entry.portions
        if portion.group in ("no-fault", "order")
    )
    for name in (by_contestant, by_group):
        found = fates(results.coverage, name)
        assert sum(one.struck + one.not_met for one in found) == summary.totals.cases - harmless
        assert sum(one.masked for one in found) == summary.totals.fate.masked


def test_the_sentences_of_the_box_say_these_numbers(report: dict[str, Any], summary: Summary) -> None:
    for sentence in summary.totals.extents:
        numbers = [int(number.replace(",", "")) for number in re.findall(r"\b\d[\d,]*\b", sentence)]
        if sentence.startswith("interleavings crossed"):
            crossed = [entry for entry in report["coverage"] if entry["crossed"]]
            assert numbers[0] == sum(entry["crossed"]["of"] for entry in crossed)
            assert numbers[1] == sum(entry["crossed"]["orders"] for entry in crossed)
            assert numbers[2] == sum(numbers[4::2]) == sum(entry["cases"] for entry in crossed) > 0
            assert numbers[3] == sum(numbers[5::2]) == sum(entry["space"] for entry in crossed)
            continue
        if sentence.startswith("interleavings"):
            orders = [entry["orders"] for entry in report["coverage"] if entry["orders"]]
            assert numbers[:2] == [sum(one[key] for one in orders) for key in ("explored", "pruned")]
            continue
        lying = "P7, storage" in sentence
        cuts = [
            entry["power"]
            for entry in report["coverage"]
            if entry["power"] and entry["use_case"].endswith(" lying") is lying
        ]
        for key in ("instants", "raw", "distinct", "remembered", "equal", "left_out"):
            assert sum(one[key] for one in cuts) in numbers, (key, sentence)


def test_a_row_is_grey_where_not_every_case_was_judged_and_nowhere_else(summary: Summary) -> None:
    page = html(summary)
    for chapter in summary.chapters:
        lines = [line for row in chapter.rows for line in row.lines]
        for line in lines:
            assert line.grey is any(entry.sampled or entry.truncated for entry in line.coverage)
        start = page.index(f'aria-label="{chapter.design.id} by use case and law"')
        table = page[start : page.index("</table>", start)]
        assert table.count('<tr class="grey">') == sum(line.grey for line in lines)
