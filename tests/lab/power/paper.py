"""What docs/power.md has of computed: run as a program it puts it into the page.

Every contestant in every one of the use cases loses its power at every instant, and every distinct state that
the persistence models leave is judged: those of the weakest model first, so that what is said of a state is
said of the weakest model that leaves it at any instant.
"""

import re
import sys
from collections.abc import Hashable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import attrs

from blockops.lab.aftermath import Aftermaths
from blockops.lab.case import Case
from blockops.lab.execution import Execution
from blockops.lab.faults.pace import NoFault
from blockops.lab.faults.power import PowerLoss
from blockops.lab.laws import LAWS
from blockops.lab.laws.recovery import INHERENT, RECOVERABLE
from blockops.lab.power.cuts import judged_after
from blockops.lab.power.cutting import Tally as States
from blockops.lab.power.cutting import new_states, run_and_look
from blockops.lab.power.models import LEGAL, Model
from blockops.lab.tally import Tally
from blockops.lab.world import World
from blockops.management.contestant import Contestant, Inexpressible
from blockops.management.use_cases import USE_CASES
from proposals.catalogue import contestants

PAGE = Path(__file__).parents[3] / "docs" / "power.md"
BEGIN = "<!-- computed: python -m tests.lab.power.paper -->\n"

JUDGED_IN = ("group-snapshot", "migrate-one", "migrate-many")
"""The use cases of the page, each with its own number of devices."""

TOO_MANY = ("migrate-many",)
"""Those in which only the wiki page's proposals are judged: jobs that copy leave up to a million states."""

_EACH = 1_000_000
"""More states than any model leaves: what the ranks of two models are apart."""


@attrs.frozen
class Breach:
    """A law that power cuts of a contestant break: in how many states, and the first case.

    *model*: the weakest that leaves such a state.  *inherent*: no recovery could be right there.
    """

    law: str
    model: str
    states: int
    case: str
    sentence: str
    inherent: bool = False


@attrs.frozen
class Finding:
    """What came of one contestant in one use case: of how many *states*, and of those on *lying* storage."""

    contestant: str
    use_case: str
    states: int
    breaches: tuple[Breach, ...]
    lying_states: int
    lying: tuple[Breach, ...]

    @property
    def grave(self) -> tuple[Breach, ...]:
        """The breaches that say that a restart has not recovered."""
        return tuple(one for one in self.breaches if one.law in GRAVE)

    @property
    def first(self) -> str:
        """The weakest model under which it has not; a dash where it always has."""
        return min((one.model for one in self.grave), default="–")

    @property
    def recovered(self) -> str:
        """Whether a restart has recovered from the disk alone, and if not whether any program could."""
        if not self.grave:
            return "yes"
        missed = [one for one in self.grave if one.law == RECOVERABLE]
        if not missed:
            return "no"
        return "no, and no program could" if missed[0].inherent else "no; another program could"


GRAVE = frozenset(
    {
        "all-or-nothing",
        "one-instant",
        "content",
        "nothing-lost",
        "sound",
        "same-after-reopen",
        "truthful",
        "recoverable",
    }
)
"""The laws that say whether a restart has recovered: all but those about files left and errors worded."""


def expressible() -> Iterator[tuple[Contestant, str]]:
    """Yield who is judged in which use case."""
    for contestant in contestants():
        for use_case in JUDGED_IN:
            if use_case in TOO_MANY and not contestant.entry.page:
                continue
            if not isinstance(contestant.program(use_case), Inexpressible):
                yield contestant, use_case


def finding(contestant: Contestant, use_case: str) -> Finding:
    """Judge every power cut of a contestant in a use case."""
    case = USE_CASES[use_case]
    setting = Case(contestant, case, World(devices=case.device_counts[0]), NoFault())
    states, breaches = judged_by(setting, LEGAL)
    lying_states, lying = judged_by(setting, (Model.LYING,))
    return Finding(contestant.id, use_case, states, breaches, lying_states, lying)


def judged_by(setting: Case, models: Sequence[Model]) -> tuple[int, tuple[Breach, ...]]:
    """Judge the distinct states that *models* leave, the weakest first; return how many, and what broke."""
    tally, known = Tally(), set[Hashable]()
    remembered: Aftermaths = {}
    for number, model in enumerate(models):
        _judge_model(setting, model, number * _EACH, tally, known, remembered)
    return tally.cases, tuple(_breaches(tally.settled(), models))


def _judge_model(
    setting: Case, model: Model, rank: int, tally: Tally, known: set[Hashable], remembered: Aftermaths
) -> None:
    def look(execution: Execution, number: int) -> None:
        for state in new_states(execution, (model,), States(), known):
            judged = judged_after(execution, number, state, remembered)
            tally.count(judged, PowerLoss(state.name, number), rank + tally.cases)

    run_and_look(setting, look, lying=model is Model.LYING)


def _breaches(tally: Tally, models: Sequence[Model]) -> Iterator[Breach]:
    if tally.broken:
        raise SystemExit(f"our own core broke: {tally.broken[0]}")
    for law in LAWS:
        ways = {sort: one for (name, sort), one in tally.violations.items() if name == law.id}
        if not ways:
            continue
        first = min(ways.values(), key=lambda one: one.rank)
        inherent = law.id == RECOVERABLE and INHERENT in ways
        states = sum(one.count for one in ways.values())
        yield Breach(law.id, models[first.rank // _EACH].value, states, first.case, first.sentence, inherent)


# ------------------------------------------------------------------------------------------ the page


def computed(findings: Sequence[Finding]) -> str:
    """Return all that the page has of computed."""
    sections = [_section(use_case, findings) for use_case in JUDGED_IN]
    return "\n".join([BEGIN, *sections])


def _section(use_case: str, findings: Sequence[Finding]) -> str:
    own = [one for one in findings if one.use_case == use_case]
    lines = [
        f"## {use_case}",
        "",
        summary(own),
        "",
        "| contestant | states | recovered from the disk alone | first broken under | lying: broken |",
        "| --- | --- | --- | --- | --- |",
        *map(row, own),
        "",
        "### What breaks",
        "",
        *_HEAD,
        *(breach_row(one, breach) for one in own for breach in one.breaches),
        "",
        "### On storage that had lied (P7)",
        "",
        *_HEAD,
        *(breach_row(one, breach) for one in own for breach in one.lying),
        "",
    ]
    return "\n".join(lines)


_HEAD = (
    "| contestant | law | from | states | smallest case | found |",
    "| --- | --- | --- | --- | --- | --- |",
)


def summary(own: Sequence[Finding]) -> str:
    """Say in a sentence whom a restart recovers, under which models the others break."""
    whole = [one.contestant for one in own if not one.grave]
    states = sum(one.states for one in own)
    by_model = {model.value: [one for one in own if one.first == model.value] for model in LEGAL}
    broken = "; ".join(f"{len(found)} from {model} on" for model, found in by_model.items() if found)
    return (
        f"Of {len(own)} contestants a restart recovers {len(whole)} from the disk alone in every one of the "
        f"{states:,} states{': ' if whole else ''}{', '.join(whole)}. Others break: {broken or 'none'}."
    )


def row(one: Finding) -> str:
    """Return the row of a contestant in a use case."""
    lying = f"{max((breach.states for breach in one.lying), default=0)} of {one.lying_states}"
    return f"| {one.contestant} | {one.states:,} | {one.recovered} | {one.first} | {lying} |"


def breach_row(one: Finding, breach: Breach) -> str:
    """Return the row of a law that a contestant breaks."""
    law = f"{breach.law} (inherent)" if breach.inherent else breach.law
    sentence = breach.sentence.replace("|", "\\|")
    return f"| {one.contestant} | {law} | {breach.model} | {breach.states:,} | `{breach.case}` | {sentence} |"


def cases_on(page: str) -> list[tuple[str, str, str]]:
    """Return the law, the case and the sentence of each breach on a page."""
    found = re.findall(
        r"^\| [^|]+ \| ([^|]+) \| P\d \| [\d,]+ \| `([^`]+)` \| (.*) \|$", page, flags=re.MULTILINE
    )
    return [(law, case, sentence.replace("\\|", "|")) for law, case, sentence in found]


def named(contestant: str, use_case: str) -> Finding:
    """Judge every power cut of a contestant, by its name, in a use case."""
    return finding(next(one for one in contestants() if one.id == contestant), use_case)


def found_by_all() -> list[Finding]:
    """Judge everybody in every use case of the page, on all cores; it takes some ten minutes of two."""
    asked: Iterable[tuple[str, str]] = [(contestant.id, use_case) for contestant, use_case in expressible()]
    with ProcessPoolExecutor() as workers:
        return list(workers.map(named, *zip(*asked, strict=True)))


def write(findings: Sequence[Finding]) -> None:
    """Put what was found into the page, behind what is written by hand."""
    before = PAGE.read_text(encoding="utf-8").partition(BEGIN)[0]
    PAGE.write_text(before + computed(findings), encoding="utf-8")


if __name__ == "__main__":
    write(found_by_all())
    sys.stdout.write(f"{PAGE} is written\n")
