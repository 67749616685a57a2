"""What docs/claims.md has of computed: run as a program it prints it, ready to be put into the page."""

import sys
from collections.abc import Iterable
from pathlib import Path

from blockops.lab.results import Claim
from proposals.claims.page import CLAIMS, answer

PAGE = Path(__file__).parents[2] / "docs" / "claims.md"


def table(claims: Iterable[Claim]) -> str:
    """Each claim with its answer, what would have confirmed it and what would have refuted it."""
    lines = [
        "| | the page says | answer | profiles that count | confirmed if | refuted if |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for claim in claims:
        conditions = (
            f"{claim.profiles.partition(':')[0] or '–'} | {claim.confirms or '–'} | {claim.refutes or '–'}"
        )
        lines.append(f"| {claim.id} | {claim.says} | {claim.answer.value} | {conditions} |")
    return "\n".join(lines)


def found(claims: Iterable[Claim]) -> str:
    """What the experiments found, a line a claim."""
    return "\n".join(f"- **{claim.id}** {claim.sentence}" for claim in claims)


if __name__ == "__main__":
    answered = tuple(map(answer, CLAIMS))
    sys.stdout.write(f"{table(answered)}\n\n{found(answered)}\n")
