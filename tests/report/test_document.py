"""report.json: round trip, schema, refusal of what it is not."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blockops.lab.results import SCHEMA
from blockops.report.document import UnreadableReport, document, from_text, to_text
from blockops.report.schema import schema
from tests.report.fabricated import DESIGNS, LAWS, results

STORED = Path(__file__).parents[2] / "docs" / "report.schema.json"


def test_what_is_written_reads_back_equal() -> None:
    assert from_text(to_text(results(), LAWS)) == results()


def test_the_same_results_give_the_same_bytes() -> None:
    assert to_text(results(), LAWS) == to_text(results(), LAWS)


def test_each_entry_is_one_line_so_that_line_tools_can_read_and_compare_reports() -> None:
    lines = [line.removesuffix(",") for line in to_text(results(), LAWS).splitlines()]
    made = document(results(), LAWS)
    for key, value in made.items():
        for entry in value if isinstance(value, list) else []:
            assert json.dumps(entry, ensure_ascii=False, separators=(",", ":")) in lines, key
    assert json.loads(to_text(results(), LAWS)) == made


TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "null": (type(None),),
}


def breaches(value: Any, rules: dict[str, Any], where: str = "report") -> Iterator[str]:
    """Yield where *value* breaks *rules*: the keywords of JSON Schema that the published file uses."""
    assert set(rules) <= KEYWORDS, f"{where}: a keyword that this test does not know: {rules}"
    if "const" in rules and value != rules["const"]:
        yield f"{where}: not {rules['const']!r}"
    if "enum" in rules and value not in rules["enum"]:
        yield f"{where}: none of {rules['enum']}"
    if "anyOf" in rules and all(list(breaches(value, choice, where)) for choice in rules["anyOf"]):
        yield f"{where}: none of the choices"
    named = rules.get("type", [])
    kinds = [kind for name in ([named] if isinstance(named, str) else named) for kind in TYPES[name]]
    if kinds and type(value) not in kinds:
        yield f"{where}: not of type {named}"
    elif isinstance(value, list) and "items" in rules:
        for number, item in enumerate(value):
            yield from breaches(item, rules["items"], f"{where}[{number}]")
    elif isinstance(value, dict):
        yield from breaches_of_object(value, rules, where)


def breaches_of_object(value: dict[str, Any], rules: dict[str, Any], where: str) -> Iterator[str]:
    properties, rest = rules.get("properties", {}), rules.get("additionalProperties", {})
    yield from (f"{where}: lacks {name}" for name in rules.get("required", []) if name not in value)
    for name, item in value.items():
        allowed = properties.get(name, rest)
        if allowed is False:
            yield f"{where}: has {name}"
        else:
            yield from breaches(item, allowed, f"{where}.{name}")


KEYWORDS = {"$schema", "title", "type", "properties", "required", "additionalProperties", "items"}
KEYWORDS |= {"const", "enum", "anyOf"}


def test_a_report_is_of_its_schema() -> None:
    assert list(breaches(json.loads(to_text(results(), LAWS)), schema())) == []


def test_the_schema_refuses_what_no_report_has() -> None:
    broken = document(results(DESIGNS[:1]), LAWS)
    broken["cells"][0]["held"] = "many"
    broken["coverage"][0]["portions"][1] = 7
    broken["timing"]["surprise"] = 1
    del broken["seed"]
    assert list(breaches(broken, schema())) == [
        "report: lacks seed",
        "report.coverage[0].portions[1]: not of type object",
        "report.cells[0].held: not of type integer",
        "report.timing: none of the choices",
    ]


def test_the_published_schema_is_the_derived_one() -> None:
    """After a change: python -m blockops.report.schema > docs/report.schema.json."""
    assert json.loads(STORED.read_text()) == schema()


def test_an_inexpressible_cell_says_so_and_why() -> None:
    cells = document(results(DESIGNS[:1]), LAWS)["cells"]
    assert {(cell["inexpressible"], cell["reason"]) for cell in cells} == {
        (False, None),
        (True, "its one command makes new overlays and nothing else"),
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not JSON"),
        ("[]", f"schema version None, but this program reads {SCHEMA}"),
        ('{"schema": 99}', f"schema version 99, but this program reads {SCHEMA}"),
        (f'{{"schema": {SCHEMA}}}', "required field missing"),
        (f'{{"schema": {SCHEMA}, "surprise": 1}}', "surprise"),
    ],
)
def test_what_is_no_report_is_refused_with_the_reason(text: str, says: str) -> None:
    with pytest.raises(UnreadableReport, match=says):
        from_text(text)
