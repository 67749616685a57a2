"""Each rule holds on the whole tree, and each can fail."""

import pytest

from tests.architecture.rules import (
    DEPENDENCIES,
    bad_name,
    is_core,
    misplaced_dependencies,
    reaches_around_the_seam,
    unfinished,
    walks_a_set,
)
from tests.architecture.sources import EVERYTHING, PRODUCT, ROOT, Source, sources

product = pytest.mark.parametrize("source", sources(PRODUCT), ids=lambda source: source.path)
core = pytest.mark.parametrize(
    "source", [source for source in sources(PRODUCT) if is_core(source.path)], ids=lambda source: source.path
)


@pytest.mark.parametrize("source", sources(EVERYTHING), ids=lambda source: source.path)
def test_no_module_has_a_name_that_says_nothing(source: Source) -> None:
    assert bad_name(source) == []


@pytest.mark.parametrize("source", sources(EVERYTHING), ids=lambda source: source.path)
def test_nothing_is_put_off(source: Source) -> None:
    assert unfinished(source) == []


@core
def test_the_core_touches_the_system_only_through_the_seam_and_knows_no_chance(source: Source) -> None:
    assert reaches_around_the_seam(source) == []


@core
def test_the_core_never_walks_a_set(source: Source) -> None:
    assert walks_a_set(source) == []


@product
def test_every_dependency_stays_in_its_place(source: Source) -> None:
    assert misplaced_dependencies(source) == []


def test_every_folder_with_modules_is_a_package_that_gets_shipped() -> None:
    folders = sorted({(ROOT / source.path).parent for source in sources(PRODUCT)})
    assert [str(folder) for folder in folders if not (folder / "__init__.py").is_file()] == []


@pytest.mark.parametrize("path", ["blockops/utils.py", "blockops/common/disk.py", "proposals/base.py"])
def test_a_name_that_says_nothing_is_caught(path: str) -> None:
    assert bad_name(Source(path, "")) != []


def test_a_telling_name_that_contains_a_forbidden_one_passes() -> None:
    assert bad_name(Source("blockops/qcow2/database.py", "")) == []


@pytest.mark.parametrize(
    "text",
    [
        "import os",
        "import os.path",
        "from os import unlink",
        "from pathlib import Path",
        "import io",
        "def f():\n    import random",
        "from time import monotonic",
        "open('/etc/passwd')",
        "with open(name) as file:\n    pass",
    ],
)
def test_a_way_around_the_seam_is_caught(text: str) -> None:
    assert reaches_around_the_seam(Source("blockops/qcow2/image.py", text)) != []


@pytest.mark.parametrize("text", ["import posixpath", "folder.open('a')", "from blockops import errors"])
def test_what_only_looks_like_a_way_around_the_seam_passes(text: str) -> None:
    assert reaches_around_the_seam(Source("blockops/qcow2/image.py", text)) == []


def test_an_exception_is_for_one_module_only() -> None:
    assert reaches_around_the_seam(Source("blockops/errors.py", "import os")) == []
    assert reaches_around_the_seam(Source("blockops/units.py", "import os")) == ["os"]


@pytest.mark.parametrize(
    "text",
    [
        "for x in {1, 2}: pass",
        "[x for x in set(y)]",
        "list(x for x in frozenset(y))",
        "for x in {a for a in b}: pass",
        "for x in set(a) - b: pass",
        "tuple({1, 2})",
        "enumerate(set(a))",
    ],
)
def test_a_walk_over_a_set_is_caught(text: str) -> None:
    assert walks_a_set(Source("blockops/device.py", text)) == [1]


@pytest.mark.parametrize("text", ["for x in sorted({1, 2}): pass", "x in {1, 2}", "for x in [1]: pass"])
def test_an_ordered_walk_passes(text: str) -> None:
    assert walks_a_set(Source("blockops/device.py", text)) == []


@pytest.mark.parametrize("name", [name for name in DEPENDENCIES if name != "attrs"])
def test_a_dependency_out_of_its_place_is_caught(name: str) -> None:
    assert misplaced_dependencies(Source("blockops/device.py", f"import {name}")) == [name]
    assert misplaced_dependencies(Source("blockops/device.py", f"from {name}.x import y")) == [name]


@pytest.mark.parametrize("text", ["# TO" + "DO later", "raise NotImplemented" + "Error"])
def test_what_is_put_off_is_caught(text: str) -> None:
    assert unfinished(Source("blockops/device.py", text)) == [1]
