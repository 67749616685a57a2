"""Packages that bring something, laid out in a folder as pip would, and the real program with them."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "extending.md"


def blocks(language: str) -> list[str]:
    """The blocks of docs/extending.md in one language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)


def lay_out(
    folder: Path, name: str, modules: Mapping[str, str], points: Mapping[str, Mapping[str, str]]
) -> None:
    """Write modules and the metadata that an installed distribution has."""
    for module, text in modules.items():
        (folder / module).write_text(text, encoding="utf-8")
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    groups = [
        f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in found.items())
        for group, found in points.items()
    ]
    (info / "entry_points.txt").write_text("\n".join(groups), encoding="utf-8")


def lay_out_example(folder: Path) -> None:
    """Write the package of docs/extending.md."""
    module, test = blocks("python")
    (declared,) = map(tomllib.loads, blocks("toml"))
    project = declared["project"]
    modules = {"backwards.py": module, "test_backwards.py": test}
    lay_out(folder, project["name"], modules, project["entry-points"])


def blockops(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the program with the packages in *folder* installed."""
    return run(folder, "-m", "proposals", *arguments)


def run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
