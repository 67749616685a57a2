"""No function over fifty lines, no module over four hundred, and most functions far below."""

import pytest

from tests.architecture.sizes import FUNCTION_LIMIT, MEDIAN_LIMIT, MODULE_LIMIT, median, report, too_long
from tests.architecture.sources import EVERYTHING, PRODUCT, Source, sources


def function_of(lines: int) -> str:
    return "def f():\n" + "    pass\n" * (lines - 1)


@pytest.mark.parametrize("source", sources(EVERYTHING), ids=lambda source: source.path)
def test_no_function_and_no_module_is_too_long(source: Source) -> None:
    assert too_long(source) == []


def test_the_median_function_is_short() -> None:
    assert median(sources(PRODUCT)) <= MEDIAN_LIMIT, report()


def test_a_function_at_the_limit_passes_and_one_over_it_is_named() -> None:
    assert too_long(Source("m.py", function_of(FUNCTION_LIMIT))) == []
    assert too_long(Source("m.py", function_of(FUNCTION_LIMIT + 1))) == ["m.py:1: f has 51 lines"]


def test_a_long_method_and_a_long_inner_function_are_named() -> None:
    inner = "class C:\n" + "".join(f"    {line}\n" for line in function_of(51).splitlines())
    assert too_long(Source("m.py", inner)) == ["m.py:2: f has 51 lines"]


def test_a_module_at_the_limit_passes_and_one_over_it_is_named() -> None:
    assert too_long(Source("m.py", "\n" * MODULE_LIMIT)) == []
    assert too_long(Source("m.py", "\n" * (MODULE_LIMIT + 1))) == ["m.py: 401 lines"]


def test_the_median_counts_every_function_of_every_module() -> None:
    modules = [Source("a.py", function_of(2) + function_of(4)), Source("b.py", function_of(9))]
    assert median(modules) == 4
