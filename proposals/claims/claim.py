"""A claim of the wiki page, its experiment, and the rule from what was found to an answer."""

from collections.abc import Callable

import attrs

from blockops.lab.results import Answer, Claim


@attrs.frozen
class Found:
    """What an experiment saw.

    *confirms* and *refutes*: whether the claim's two conditions were met; None for both where the claim is
    about 2012 and not about the designs.  *sentence* tells it with its figures; *cases* can be replayed.
    """

    confirms: bool | None
    refutes: bool | None
    sentence: str
    figures: dict[str, int] = attrs.field(factory=dict)
    cases: tuple[str, ...] = ()


@attrs.frozen
class Statement:
    """One sentence of the page: *says* paraphrases it, *side* is the heading it stands under.

    *profiles*: whether it is judged as posted, hardened or both, and why.

    *confirms* and *refutes* say in words the conditions that `experiment` reports on.
    """

    id: str
    design: str
    side: str
    says: str
    asks: str
    profiles: str
    confirms: str
    refutes: str
    experiment: Callable[[], Found]


def answer(found: Found) -> Answer:
    """Return the answer that *found* amounts to: neither or both of the conditions settles nothing."""
    if found.confirms is None or found.refutes is None:
        return Answer.HISTORICAL
    if found.confirms == found.refutes:
        return Answer.INCONCLUSIVE
    return Answer.CONFIRMED if found.confirms else Answer.REFUTED


def answered(statement: Statement) -> Claim:
    """Run the experiment and return the claim with its answer."""
    found = statement.experiment()
    return Claim(
        id=statement.id,
        design=statement.design,
        side=statement.side,
        says=statement.says,
        asks=statement.asks,
        profiles=statement.profiles,
        confirms=statement.confirms,
        refutes=statement.refutes,
        answer=answer(found),
        sentence=found.sentence,
        figures=found.figures,
        cases=found.cases,
    )
