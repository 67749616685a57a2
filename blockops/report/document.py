"""report.json: the results as plain JSON values, and back; the form is docs/report-schema.md's.

The JSON differs from the values in three places, each for the reader's sake: a cell says `inexpressible`
and its `reason` apart, the wording of the laws is included, and `schema` comes first.
"""

import json
from typing import Any

import attrs
import cattrs
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn

from blockops.lab.results import SCHEMA, Cell, Law, Results

Document = dict[str, Any]


class UnreadableReport(Exception):
    """A report.json that is none, or of a schema version that this program does not read."""


def document(results: Results, laws: tuple[Law, ...]) -> Document:
    """Return *results* as JSON values, keys in a fixed order."""
    values = _converter().unstructure(results)
    return {"schema": values.pop("schema"), "laws": [attrs.asdict(law) for law in laws], **values}


def to_text(results: Results, laws: tuple[Law, ...]) -> str:
    """Return *results* as JSON text, one cell, violation or other entry a line, ending in a line feed."""
    members = (f"{_line(key)}: {_entries(value)}" for key, value in document(results, laws).items())
    return "{\n" + ",\n".join(members) + "\n}\n"


def _entries(value: Any) -> str:
    if not isinstance(value, list) or not value:
        return _line(value)
    return "[\n" + ",\n".join(map(_line, value)) + "\n]"


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def from_text(text: str) -> Results:
    """Return the results that *text* holds.

    Raises UnreadableReport where it is not JSON, of another schema version, or not of the schema.
    """
    try:
        values = json.loads(text)
    except ValueError as error:
        raise UnreadableReport(f"not JSON: {error}") from error
    version = values.get("schema") if isinstance(values, dict) else None
    if version != SCHEMA:
        raise UnreadableReport(f"schema version {version!r}, but this program reads {SCHEMA}")
    values.pop("laws", None)
    try:
        return _converter().structure(values, Results)
    except cattrs.BaseValidationError as error:
        raise UnreadableReport("; ".join(cattrs.transform_error(error))) from error


def laws_in(text: str) -> tuple[Law, ...]:
    """Return the laws that judged, as *text* words them; it is one that `from_text` reads."""
    return tuple(Law(**law) for law in json.loads(text)["laws"])


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True, unstruct_collection_overrides={tuple: list})
    plain_out = make_dict_unstructure_fn(Cell, converter)
    plain_in = make_dict_structure_fn(Cell, converter, _cattrs_forbid_extra_keys=True)

    def cell_out(cell: Cell) -> Document:
        values = plain_out(cell)
        reason = values.pop("inexpressible")
        smallest = values.pop("smallest")
        return {**values, "inexpressible": reason is not None, "reason": reason, "smallest": smallest}

    def cell_in(values: Document, _: type[Cell]) -> Cell:
        reason = values.get("reason")
        rest = {key: value for key, value in values.items() if key not in ("inexpressible", "reason")}
        return plain_in({**rest, "inexpressible": reason}, Cell)

    converter.register_unstructure_hook(Cell, cell_out)
    converter.register_structure_hook(Cell, cell_in)
    return converter
