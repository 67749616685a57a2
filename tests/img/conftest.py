"""What the tests of images share: a folder to work in, and the corpus."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.img.corpus import Recipe

Tool = Callable[[str], str]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def made(recipe: Recipe, real_tool: Tool, folder: Path) -> Recipe:
    """A recipe of the corpus, its image made in the working folder."""
    recipe.make(real_tool)
    return recipe
