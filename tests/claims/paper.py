"""docs/claims.md's table, computed: run as a program it prints the table, ready to be put into the page."""

import sys
from collections.abc import Iterable
from pathlib import Path

from blockops.lab.results import Claim
from proposals.claims.page import answers

PAGE = Path(__file__).parents[2] / "docs" / "claims.md"


def table(claims: Iterable[Claim]) -> str:
    """Each claim with its answer, what would have confirmed it and what would have refuted it."""
    lines = ["| | the page says | answer | confirmed if | refuted if |", "| --- | --- | --- | --- | --- |"]
    for claim in claims:
        conditions = f"{claim.confirms or '–'} | {claim.refutes or '–'}"
        lines.append(f"| {claim.id} | {claim.says} | {claim.answer.value} | {conditions} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(table(answers()) + "\n")
