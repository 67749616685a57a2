"""The import contracts of pyproject.toml hold, name every part of the product, and each can break."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.sources import PRODUCT, ROOT, sources

LINT = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"

CONTRACTS: list[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"][
    "importlinter"
]["contracts"]


def names_in(layers: list[str]) -> list[str]:
    """Return the modules of a contract's layers, without the signs between siblings."""
    return [name for layer in layers for name in re.split(r" [|:] ", layer)]


PICTURE = next(contract["layers"] for contract in CONTRACTS if contract["id"] == "picture")
PROPOSALS = ("group_snapshot", "drive_migrate", "transaction", "freeze", "merged_transaction")
INSIDE = {
    contract["containers"][0]: names_in(contract["layers"])
    for contract in CONTRACTS
    if "containers" in contract
}


def lint(folder: Path) -> tuple[int, str]:
    """Judge the packages in *folder* by the contracts there; return exit code and output."""
    done = subprocess.run(
        [sys.executable, "-c", LINT], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def write_module(folder: Path, name: str, text: str = "") -> None:
    """Write a module as a package, with all packages above it."""
    place = folder
    for part in name.split("."):
        place = place / part
        place.mkdir(exist_ok=True)
        (place / "__init__.py").touch()
    (place / "__init__.py").write_text(text)


@pytest.fixture
def empty_product(tmp_path: Path) -> Path:
    """A tree with every module that the contracts speak of, all of them empty, and our contracts."""
    inside = [f"{package}.{module}" for package, modules in INSIDE.items() for module in modules]
    sources_named = [name for contract in CONTRACTS for name in contract.get("source_modules", [])]
    for name in [*names_in(PICTURE), *inside, *sources_named]:
        write_module(tmp_path, name)
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    return tmp_path


def test_the_contracts_hold() -> None:
    code, output = lint(ROOT)
    assert code == 0, output


def test_every_part_of_the_product_is_in_the_picture() -> None:
    modules = [source.path.removesuffix(".py").split("/") for source in sources(PRODUCT)]
    parts = sorted({".".join(module[:2]) for module in modules if module[1] != "__init__"})
    assert [part for part in parts if part not in names_in(PICTURE)] == []


def test_no_layer_is_optional() -> None:
    assert [layer for contract in CONTRACTS for layer in contract.get("layers", []) if "(" in layer] == []


def test_the_four_proposals_have_the_same_files() -> None:
    files = {
        name: sorted(path.name for path in (ROOT / "proposals" / name).glob("*.py")) for name in PROPOSALS
    }
    assert [name for name in PROPOSALS if files[name] != files[PROPOSALS[0]]] == [], files


def test_the_fifth_design_has_the_same_files_and_its_record() -> None:
    first, fifth = (
        {path.name for path in (ROOT / "proposals" / name).glob("*.py")}
        for name in (PROPOSALS[0], "recorded_transaction")
    )
    assert fifth - first == {"record.py"}
    assert not first - fifth


def test_a_product_without_imports_keeps_every_contract(empty_product: Path) -> None:
    code, output = lint(empty_product)
    assert code == 0, output


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("blockops.errors", "blockops.units"),
        ("blockops.steps", "blockops.host.api"),
        ("blockops.host.api", "blockops.host.posix"),
        ("blockops.host.posix", "blockops.host.memory"),
        ("blockops.qcow2.image", "blockops.qcow2.check"),
        ("blockops.qcow2.check", "blockops.qcow2.image"),
        ("blockops.qcow2.check", "blockops.qcow2.refcounts"),
        ("blockops.qcow2.check.tables", "blockops.qcow2.durable"),
        ("blockops.qcow2.create", "blockops.qcow2.image"),
        ("blockops.qcow2.header", "blockops.qcow2.entries"),
        ("blockops.qcow2.image", "blockops.graph"),
        ("blockops.qcow2", "blockops.raw"),
        ("blockops.graph", "blockops.device"),
        ("blockops.machine", "blockops.commands"),
        ("blockops.management", "blockops.lab"),
        ("blockops.lab", "blockops.report"),
        ("blockops.lab.images", "blockops.qcow2.image"),
        ("blockops.lab.images", "blockops.qcow2.mapping"),
        ("blockops.lab.laws", "blockops.graph"),
        ("blockops.lab", "proposals.catalogue"),
        ("blockops.errors", "proposals"),
        ("proposals.freeze", "proposals.transaction"),
        ("proposals.freeze", "proposals.catalogue"),
        ("proposals.group_snapshot", "blockops.lab"),
        ("proposals.baselines", "blockops.report"),
        ("proposals.catalogue", "proposals.cli"),
    ],
)
def test_an_import_against_the_picture_is_caught(empty_product: Path, importer: str, imported: str) -> None:
    write_module(empty_product, importer, f"import {imported}\n")
    code, output = lint(empty_product)
    assert code == 1
    assert f"{importer} -> {imported}" in output


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("proposals.cli", "blockops.report"),
        ("proposals.catalogue", "blockops.lab"),
        ("proposals.freeze", "blockops.management"),
        ("blockops.report", "blockops.lab"),
        ("blockops.lab.images", "blockops.qcow2.check"),
        ("blockops.qcow2.check", "blockops.qcow2.entries"),
    ],
)
def test_an_import_down_the_picture_passes(empty_product: Path, importer: str, imported: str) -> None:
    write_module(empty_product, importer, f"import {imported}\n")
    code, output = lint(empty_product)
    assert code == 0, output
