"""What came of errands as JSON, and back: what a store writes down."""

from typing import Any, get_args, get_origin

import cattrs
from cattrs.preconf.json import JsonConverter, make_converter

from blockops.lab.faults import parse_fault
from blockops.lab.faults.fault import Fault


def converter() -> JsonConverter:
    """Return what turns results into JSON and back; a fault is its name, keys may be tuples."""
    made = make_converter()
    made.register_unstructure_hook_func(_is_fault, str)
    made.register_structure_hook_func(_is_fault, lambda text, _: parse_fault(text))
    made.register_unstructure_hook_factory(_is_keyed_by_tuples, _pairs_out)
    made.register_structure_hook_factory(_is_keyed_by_tuples, _pairs_in)
    return made


def _is_fault(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Fault)


def _is_keyed_by_tuples(kind: Any) -> bool:
    return get_origin(kind) is dict and get_origin(get_args(kind)[0]) is tuple


def _pairs_out(kind: Any, converter: cattrs.Converter) -> Any:
    key, value = get_args(kind)
    return lambda found: [
        [converter.unstructure(one, key), converter.unstructure(other, value)] for one, other in found.items()
    ]


def _pairs_in(kind: Any, converter: cattrs.Converter) -> Any:
    key, value = get_args(kind)
    return lambda pairs, _: {
        converter.structure(one, key): converter.structure(other, value) for one, other in pairs
    }
