"""What makes two runs the same run: the settings, the given images, the code and what it runs on."""

import hashlib
import importlib
import json
import os
import platform
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import attrs
import cattrs

from blockops.lab.given import chain_of
from blockops.lab.plugins import plugged_in
from blockops.lab.qemu.process import qemu_version
from blockops.lab.settings import Settings
from blockops.lab.store import RunKey
from blockops.management.contestant import Contestant


def run_key(settings: Settings, contestants: Sequence[Contestant]) -> RunKey:
    """Return by what a run of *settings* with *contestants* is known.

    How many workers there are does not matter.  A given image that was written to since, or one below
    it, makes another run, and so does any change in the sources of a package that takes part.
    """
    asked = {
        "settings": cattrs.unstructure(attrs.evolve(settings, jobs=0)),
        "contestants": [contestant.id for contestant in contestants],
        "images": [_state(path) for given, _ in settings.images for path in chain_of(given)],
    }
    taking_part = (package_of(contestant) for contestant in contestants)
    packages = sorted({"blockops", *taking_part, *plugged_in().modules})
    sources = [_digest(path.read_bytes()) for name in packages for path in _sources(name)]
    known = versions(contestants)
    return RunKey(_of(asked), _of([packages, sources, known]), asked, known)


def package_of(contestant: Contestant) -> str:
    """Return the package that a contestant's commands are from."""
    return contestant.entry.make.__module__.partition(".")[0]


def _sources(package: str) -> Iterator[Path]:
    module = importlib.import_module(package)
    for folder in map(Path, getattr(module, "__path__", ())):
        yield from sorted(path for path in folder.rglob("*") if path.suffix in (".py", ".c"))
    if module.__file__ is not None and not hasattr(module, "__path__"):
        yield Path(module.__file__)


def _state(path: str) -> list[str | int]:
    status = os.stat(path)
    return [path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns]


def versions(contestants: Iterable[Contestant] = ()) -> dict[str, str]:
    """Return what takes part, by version: a real QEMU, too, where one is among *contestants*."""
    names = ("blockops", "hypothesis", "attrs")
    ours = {name: version(name) for name in names}
    real = {"qemu": qemu_version()} if any(one.entry.real for one in contestants) else {}
    return {"python": platform.python_version(), **ours, **plugged_in().versions, **real}


def _of(plain: object) -> str:
    return _digest(json.dumps(plain, sort_keys=True).encode())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
