"""How long functions and modules are: nobody has to scroll to understand one.

Run as a program it prints the numbers that the tests enforce.
"""

import statistics
import sys
from collections.abc import Iterable

from tests.architecture.sources import PRODUCT, Function, Source, sources

FUNCTION_LIMIT = 50
MODULE_LIMIT = 400
MEDIAN_LIMIT = 8


def span(function: Function) -> int:
    """Return the lines of a function from `def` to its last, docstring and all."""
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def too_long(source: Source) -> list[str]:
    """Return one complaint for each function over the limit, and one if the module is over its own."""
    complaints = [
        f"{source.path}:{function.lineno}: {function.name} has {span(function)} lines"
        for function in source.functions()
        if span(function) > FUNCTION_LIMIT
    ]
    if source.lines > MODULE_LIMIT:
        complaints.append(f"{source.path}: {source.lines} lines")
    return complaints


def median(modules: Iterable[Source]) -> float:
    """Return the median length of all functions, in lines."""
    return statistics.median(span(function) for source in modules for function in source.functions())


def report() -> str:
    """Return one line with the numbers of the product as it stands."""
    product = sources(PRODUCT)
    lengths = [span(function) for source in product for function in source.functions()]
    longest = max(product, key=lambda source: source.lines)
    return (
        f"{len(product)} modules, longest {longest.lines} lines ({longest.path}); {len(lengths)} functions, "
        f"median {median(product):g} lines, longest {max(lengths)}"
    )


if __name__ == "__main__":
    sys.stdout.write(report() + "\n")
