"""What another package brings takes part as if it were ours; what cannot be used is refused."""

import json
from pathlib import Path

import pytest

from tests.plugins.packages import PAGE, ROOT, blockops, blocks, lay_out, lay_out_example, run


@pytest.fixture
def example(tmp_path: Path) -> Path:
    lay_out_example(tmp_path)
    return tmp_path


def test_what_is_brought_gets_its_columns_in_the_comparison(example: Path) -> None:
    out = example / "out"
    done = blockops(
        example,
        *("compare", "--use-case", "all-but-first", "--use-case", "group-snapshot"),
        *("--contestant", "backwards", "--contestant", "naive-loop", "--contestant", "freeze"),
        *("--manager", "naive", "--fault", "hurry", "--jobs", "2", "--out", str(out)),
    )
    assert done.returncode == 0, done.stderr
    results = json.loads((out / "report.json").read_text(encoding="utf-8"))
    results = results.get("results", results)
    cells = {(one["contestant"], one["use_case"], one["law"]): one for one in results["cells"]}
    mine = cells["backwards", "all-but-first-3", "laconic"]
    assert (mine["held"], mine["violated"]) == (1, 0)
    assert cells["backwards", "group-snapshot-2", "all-or-nothing"]["held"] == 1
    assert cells["naive-loop", "all-but-first-3", "all-or-nothing"]["held"] == 1
    assert cells["freeze", "all-but-first-3", "laconic"]["inexpressible"]
    assert cells["freeze", "group-snapshot-2", "laconic"]["violated"] > 0
    assert results["versions"]["backwards"] == "1.0"
    assert "backwards" in (out / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("what", "name"),
    [
        ("contestants", "backwards.hardened.naive"),
        ("use-cases", "all-but-first"),
        ("faults", "hurry"),
        ("laws", "laconic"),
    ],
)
def test_what_is_brought_is_listed(example: Path, what: str, name: str) -> None:
    done = blockops(example, "list", what, "--json")
    assert name in [one["id"] for one in json.loads(done.stdout)]


def test_a_case_of_all_of_it_can_be_replayed(example: Path) -> None:
    done = blockops(example, "replay", "backwards.hardened.naive/all-but-first-3/hurry")
    assert done.returncode == 0, done.stderr
    assert "laconic" in done.stdout


def test_the_example_of_the_page_conforms(example: Path) -> None:
    done = run(example, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_backwards.py")
    assert done.returncode == 0, done.stdout


def test_the_commands_on_the_page_run(example: Path) -> None:
    (console,) = blocks("console")
    for line in console.splitlines():
        done = blockops(example, *line.removeprefix("$ blockops ").split())
        assert done.returncode == 0, (line, done.stderr)


def test_the_links_of_the_page_lead_somewhere() -> None:
    import re  # noqa: PLC0415

    for link in re.findall(r"\]\(([^)]+)\)", PAGE.read_text(encoding="utf-8")):
        assert (ROOT / "docs" / link).exists(), link


BROKEN = [
    pytest.param("missing:X", "blockops.laws", "it does not load: ModuleNotFoundError", id="no module"),
    pytest.param("mine:X", "blockops.laws", "it does not load: AttributeError", id="no such name"),
    pytest.param("mine:BOOM", "blockops.laws", "it does not load: AttributeError", id="raises"),
    pytest.param("mine:NUMBER", "blockops.laws", "must be of type LawOf, not int", id="no law"),
    pytest.param("mine:NUMBER", "blockops.faults", "must be of type Family, not int", id="no family"),
    pytest.param("mine:NUMBER", "blockops.contestants", "must be of type Entry, not int", id="no entry"),
    pytest.param("mine:LAW", "blockops.laws", "there is a law 'sound' already", id="law clashes"),
    pytest.param("mine:USE", "blockops.use_cases", "a use case 'retry' already", id="use case clashes"),
    pytest.param("mine:FAULT", "blockops.faults", "there are faults 'eio' already", id="fault clashes"),
    pytest.param("mine:ENTRY", "blockops.contestants", "contestant 'freeze'", id="contestant clashes"),
    pytest.param("mine:ODD", "blockops.contestants", "'Odd one' cannot stand in a case id", id="odd name"),
]

MINE = """
import attrs
from blockops.lab.faults.fault import Family
from blockops.lab.plugins import LawOf, UseCaseOf
from blockops.lab.results import Law
from blockops.management.use_cases import USE_CASES
from proposals.freeze.entry import ENTRY

NUMBER = 7
LAW = LawOf(Law("sound", "ever", "Ever."), lambda evidence: None)
USE = UseCaseOf(USE_CASES["retry"], {})
FAULT = Family({"eio": "again"}, lambda text: None, lambda *words: iter(()))
ODD = attrs.evolve(ENTRY, id="Odd one")
"""


@pytest.mark.parametrize(("value", "group", "sentence"), BROKEN)
def test_what_cannot_be_used_is_refused_in_one_sentence(
    tmp_path: Path, value: str, group: str, sentence: str
) -> None:
    lay_out(tmp_path, "mine", {"mine.py": MINE}, {group: {"point": value}})
    done = blockops(tmp_path, "list", "contestants")
    assert done.returncode == 4, done.stdout
    (said,) = done.stderr.splitlines()
    assert said.startswith("blockops: ")
    assert sentence in said
    if "ENTRY" not in value:
        assert "plug-in 'point' of package mine" in said


def test_without_packages_nothing_is_brought(tmp_path: Path) -> None:
    done = blockops(tmp_path, "list", "laws")
    assert "laconic" not in done.stdout
