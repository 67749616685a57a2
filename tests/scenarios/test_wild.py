"""Each class of failure in the wild has a scenario that reproduces it, and whose oracle tells it apart."""

import json
from pathlib import Path

import pytest

from blockops.lab.case import parse_case
from blockops.lab.evidence import Ending, Evidence
from blockops.lab.exploring import record_once
from blockops.lab.faults import GROUPS
from blockops.lab.judging import evidence_of
from blockops.lab.parts import Scope, Setting
from blockops.lab.results import Verdict
from blockops.lab.scenario import Scenario
from blockops.lab.settings import Settings
from blockops.lab.tally import Broken
from blockops.lab.work import judge_slice
from blockops.management.use_cases import USE_CASES
from proposals.catalogue import contestants
from proposals.cli import main
from proposals.cli.choice import made
from proposals.scenarios.wild import SCENARIOS
from tests.lab.cases import CONTESTANTS, seen

PAGE = Path(__file__).parents[2] / "docs" / "scenarios.md"

SUFFERERS = {
    "stuck-frozen": "freeze.as-posted.naive",
    "freeze-downgraded": "naive-loop.as-posted.careful",
    "leftover": "group-snapshot.as-posted.naive",
    "half-switched": "freeze.hardened.naive",
    "books-disagree": "drive-migrate.hardened.naive",
    "skewed-cut": "naive-loop.as-posted.careful",
    "unknown-outcome": "stop-cont.as-posted.naive",
    "membership": "naive-loop.as-posted.naive",
    "engine": "transaction.as-posted.careful",
}
SPARED = {
    "stuck-frozen": "recorded-transaction.hardened.careful",
    "freeze-downgraded": "group-snapshot.as-posted.naive",
    "leftover": "recorded-transaction.hardened.careful",
    "half-switched": "recorded-transaction.hardened.careful",
    "books-disagree": "recorded-transaction.hardened.naive",
    "skewed-cut": "stop-cont.as-posted.naive",
    "unknown-outcome": "recorded-transaction.hardened.careful",
    "engine": "recorded-transaction.hardened.careful",
}


def test_every_class_has_a_scenario() -> None:
    assert [scenario.kind for scenario in SCENARIOS.values()] == [f"F{n}" for n in range(1, 10)]


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=list(SCENARIOS))
def test_a_scenario_names_what_there_is(scenario: Scenario) -> None:
    assert scenario.use_case in USE_CASES
    assert set(scenario.faults) <= set(GROUPS)
    assert [report.url for report in scenario.reports] == [
        "https://github.com/" + report.thread.replace("#", "/issues/") for report in scenario.reports
    ]


def suffering(name: str, contestant: str) -> tuple[int, int, Broken | None]:
    """Judge a whole scenario; return how many cases it has, how many tell, and those that suffer it."""
    scenario = SCENARIOS[name]
    setting, scope = (
        Setting(contestant, scenario.use_case, scenario.world),
        Scope(frozenset(scenario.faults), True, 7),
    )
    tally = judge_slice(contestants, setting, scope, 0, 10_000)
    assert tally.cases == sum(tally.groups.values()), "of its faults every case belongs to it"
    shows = tally.cases - tally.scenes.get((name, Verdict.NOT_EXERCISED), 0)
    return tally.cases, shows, tally.suffered.get(name)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_reproduces_its_class(name: str) -> None:
    cases, exercised, suffered = suffering(name, SUFFERERS[name])
    assert suffered is not None
    assert 0 < suffered.count <= exercised <= cases
    again = evidence_of(parse_case(suffered.case, CONTESTANTS, {}))
    judged = SCENARIOS[name].oracle(again)
    assert (judged.verdict, judged.sentence) == (Verdict.VIOLATED, suffered.sentence)


@pytest.mark.parametrize("name", SPARED)
def test_not_everybody_suffers_it(name: str) -> None:
    _, exercised, suffered = suffering(name, SPARED[name])
    assert exercised > 0
    assert suffered is None


def test_only_what_meets_its_faults_belongs_to_a_scenario() -> None:
    scenario = SCENARIOS["stuck-frozen"]
    setting = Setting(SUFFERERS["stuck-frozen"], scenario.use_case, scenario.world)
    tally = judge_slice(contestants, setting, Scope(frozenset({"eio", "enospc"}), True, 7), 0, 10_000)
    assert {name for name, _ in tally.scenes} == {
        one.id
        for one in SCENARIOS.values()
        if one.use_case == scenario.use_case and {"eio", "enospc"} & {*one.faults}
    }
    counted = sum(number for (name, _), number in tally.scenes.items() if name == "stuck-frozen")
    assert counted == tally.groups["eio"], "those of enospc that equal one of eio are not its"


def verdicts(evidence: Evidence) -> dict[str, Verdict]:
    return {name: scenario.oracle(evidence).verdict for name, scenario in SCENARIOS.items()}


@pytest.mark.parametrize(
    ("case", "classes"),
    [
        ("freeze.hardened.careful/group-snapshot-2/no-fault", set()),
        ("recorded-transaction.hardened.careful/group-snapshot-2/no-fault", set()),
        ("freeze.as-posted.careful/group-snapshot-2/manager-dies@9", {"stuck-frozen", "membership"}),
        ("naive-loop.as-posted.naive/group-snapshot-2/guest-runs@16", {"freeze-downgraded", "skewed-cut"}),
    ],
)
def test_the_oracles_tell_the_classes_apart(case: str, classes: set[str]) -> None:
    """That of membership judges by the laws together, in a use case of its own."""
    found = verdicts(seen(case))
    assert {name for name, verdict in found.items() if verdict is Verdict.VIOLATED} == classes


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("group-snapshot.hardened.naive/group-snapshot-2/reply-lost@1", Verdict.VIOLATED),
        ("group-snapshot.hardened.careful/group-snapshot-2/reply-lost@1", Verdict.HELD),
        ("recorded-transaction.hardened.naive/group-snapshot-2/reply-lost@1", Verdict.HELD),
        ("freeze.hardened.careful/group-snapshot-2/manager-dies@14", Verdict.VIOLATED),
        ("group-snapshot.hardened.careful/group-snapshot-2/kill@30", Verdict.NOT_EXERCISED),
    ],
)
def test_notes_and_a_designs_own_record_are_books_as_well(case: str, expected: Verdict) -> None:
    assert SCENARIOS["books-disagree"].oracle(seen(case)).verdict is expected


def test_a_failure_of_the_books_storage_blames_no_design() -> None:
    """The overlays are shown, and what is to say so cannot be written."""
    sound = "group-snapshot.hardened.naive/group-snapshot-2"
    writes = [
        operation.number
        for operation in record_once(parse_case(f"{sound}/no-fault", CONTESTANTS, {})).operations
        if operation.operation == "write" and "machine.json" in operation.path
    ]
    evidence = seen(f"{sound}/eio@{writes[0]}")
    assert evidence.books["d0"] != evidence.live[0].top
    assert SCENARIOS["books-disagree"].oracle(evidence).verdict is Verdict.NOT_EXERCISED


def test_the_books_are_those_that_management_left() -> None:
    evidence = seen("freeze.hardened.careful/group-snapshot-2/no-fault")
    assert evidence.ending is Ending.SUCCEEDED
    assert evidence.books == {f"d{n}": shown.top for n, shown in enumerate(evidence.live)}


def settings_of(*scenarios: str) -> Settings:
    nothing: dict[str, tuple[str, ...]] = dict.fromkeys(
        ("images", "use_cases", "contestants", "profiles", "managers", "faults"), ()
    )
    numbers = {"devices": None, "jobs": None, "seed": 7, "full": False}
    return made({**nothing, **numbers, "scenarios": scenarios})


@pytest.mark.parametrize("kind", sorted({one.kind for one in SCENARIOS.values()}))
def test_a_class_means_all_scenarios_of_it(kind: str) -> None:
    names = tuple(one.id for one in SCENARIOS.values() if one.kind == kind)
    assert settings_of(kind) == settings_of(*names) == settings_of(kind, *names)
    assert settings_of(kind).scenarios == names


def test_a_scenario_runs_alone_and_says_who_suffers_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    asked = ["--contestant", "freeze.as-posted.careful", "--contestant", "naive-loop.as-posted.naive"]
    code = main(["compare", "--scenario", "stuck-frozen", *asked, "--jobs", "1", "--out", str(out)])
    said = capsys.readouterr()
    assert code == 0, said.err
    (scene,) = json.loads((out / "report.json").read_text(encoding="utf-8"))["scenes"]
    rows = {row["contestant"]: row for row in scene["rows"]}
    assert rows["freeze.as-posted.careful"]["suffered"] > 0
    assert rows["naive-loop.as-posted.naive"]["suffered"] == 0
    assert "stuck-frozen  1 of 2 contestants suffered it" in said.out
    assert f"blockops replay {rows['freeze.as-posted.careful']['smallest']}" in said.out
    for form in ("report.html", "report.md"):
        text = (out / form).read_text(encoding="utf-8")
        assert rows["freeze.as-posted.careful"]["smallest"] in text
        assert "vmware/open-vm-tools#27" in text


def test_scenarios_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "scenarios", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [one["id"] for one in listed] == list(SCENARIOS)


def test_the_page_names_every_scenario_and_its_reports() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for scenario in SCENARIOS.values():
        assert f"## {scenario.kind} {scenario.id}" in text
        assert all(report.url in text for report in scenario.reports)
        assert ", ".join(f"`{group}`" for group in scenario.faults) in " ".join(text.split())


def test_a_class_without_a_public_report_is_said_to_have_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    asked = ["--scenario", "engine", "--contestant", "naive-loop.as-posted.naive", "--jobs", "1"]
    main(["compare", *asked, "--out", str(out)])
    capsys.readouterr()
    for form in ("report.html", "report.md"):
        assert "No public report of this class is cited." in (out / form).read_text(encoding="utf-8")
