"""The cases that drawn worlds led to, one a line of cases.txt: a law, its verdict, the case spelled out."""

from collections.abc import Iterator
from pathlib import Path

import attrs

from blockops.lab.laws import LAWS
from blockops.lab.results import Verdict

FILE = Path(__file__).parent / "cases.txt"

CORE = "core"
"""What a line says of the invariants of our own core, which hold in every case, beside the names of laws."""


@attrs.frozen
class Pin:
    """A case that stays, and what a law says of it."""

    law: str = attrs.field(validator=attrs.validators.in_({CORE, *(law.id for law in LAWS)}))
    verdict: Verdict = attrs.field(validator=attrs.validators.in_({Verdict.HELD, Verdict.VIOLATED}))
    case: str

    def __str__(self) -> str:
        return f"{self.law:<18} {self.verdict.value:<8} {self.case}"

    @property
    def contestant(self) -> str:
        return self.case.partition("/")[0]


def pins(text: str) -> Iterator[Pin]:
    """Yield what the lines of *text* pin; those that begin with '#', and empty ones, are for readers."""
    for line in text.splitlines():
        if line and not line.startswith("#"):
            law, verdict, case = line.split()
            yield Pin(law, Verdict(verdict), case)


def pinned() -> list[Pin]:
    """Return what the file pins."""
    return list(pins(FILE.read_text(encoding="utf-8")))
