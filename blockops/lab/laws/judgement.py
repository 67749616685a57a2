"""What a law answers: a verdict, and where it is violated one sentence and a key for equal violations."""

from collections.abc import Iterable

import attrs

from blockops.lab.results import Verdict


@attrs.frozen
class Judgement:
    """A verdict; *sentence* says what was found, *key* is equal for violations of the same sort."""

    verdict: Verdict
    sentence: str = ""
    key: str = ""


HELD = Judgement(Verdict.HELD)
NOT_EXERCISED = Judgement(Verdict.NOT_EXERCISED)


def violated(sentence: str, key: str = "") -> Judgement:
    """Return the verdict that the law is violated, as *sentence* says."""
    return Judgement(Verdict.VIOLATED, sentence, key or sentence)


def held_unless(problems: Iterable[tuple[str, str]]) -> Judgement:
    """Return held where there is no problem, else violated by the first (sentence, key)."""
    for sentence, key in problems:
        return violated(sentence, key)
    return HELD
