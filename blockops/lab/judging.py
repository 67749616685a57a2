"""Judging cases, equal ones once.

Two cases of a setting are equal, and only one of them is run, where the recorded run proves it:

* a fault that is to last, but that no later operation would have met again, is the one-off fault;
* two kills between which nothing reached the disk, nothing was promised to the guest and nothing was
  said to management leave the same behind (`execution.Moment`).

Equal cases are counted as cases, and how many were answered this way is counted, too.
"""

import attrs

from blockops.lab.case import Case
from blockops.lab.evidence import Evidence
from blockops.lab.execution import Execution
from blockops.lab.exploring import Space
from blockops.lab.faults import Fault, HostFault, KilledAtStep
from blockops.lab.gathering import gather
from blockops.lab.laws import judge
from blockops.lab.laws.judgement import Judgement


@attrs.frozen
class Judged:
    """A case with what each law says of it, and what of the core broke in it.

    *struck*: the fault met something; *again*: it would have met something later, too; *equal*: the case
    was not run, because it equals another that was.
    """

    case: str
    judgements: dict[str, Judgement]
    broken: tuple[str, ...] = ()
    struck: bool = True
    again: bool = False
    equal: bool = False


def evidence_of(case: Case) -> Evidence:
    """Run one case and return what is known of it."""
    execution = Execution(case)
    execution.go()
    return gather(execution)


def judged(case: Case) -> Judged:
    """Run one case and judge it by all laws.  What breaks inside the core or the lab is reported as such."""
    try:
        evidence = evidence_of(case)
        judgements = dict(judge(evidence))
    except Exception as error:  # whatever it is, it is ours, and the run must say so
        return Judged(case.id, {}, (f"{case.id}: {type(error).__name__}: {error}",))
    struck = bool(evidence.hits) or evidence.killed or not isinstance(case.fault, HostFault)
    broken = tuple(f"{case.id}: {sentence}" for sentence in evidence.broken)
    return Judged(case.id, judgements, broken, struck, evidence.again)


@attrs.define
class Judging:
    """Judges cases of one setting in the order of its space, each distinct one once."""

    setting: Case
    space: Space
    _last: tuple[Fault, Judged] | None = None
    _kills: dict[int, Judged] = attrs.field(factory=dict)

    def judge(self, fault: Fault) -> Judged:
        """Return the judgement of the setting broken by *fault*."""
        case = attrs.evolve(self.setting, fault=fault)
        known = self._known(fault)
        found = judged(case) if known is None else attrs.evolve(known, case=case.id, broken=(), equal=True)
        self._remember(fault, found)
        return found

    def _known(self, fault: Fault) -> Judged | None:
        if isinstance(fault, KilledAtStep):
            return self._kills.get(self.space.moment_of(fault.step))
        if isinstance(fault, HostFault) and fault.lasting and self._last is not None:
            once, found = self._last
            same = once == attrs.evolve(fault, lasting=False)
            return found if same and not found.again else None
        return None

    def _remember(self, fault: Fault, found: Judged) -> None:
        self._last = (fault, found)
        if isinstance(fault, KilledAtStep):
            self._kills.setdefault(self.space.moment_of(fault.step), found)
