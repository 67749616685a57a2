"""Judging cases, equal ones once.

Two cases of a setting are equal, and only one of them is run, where the recorded run proves it:

* a fault that is to last, but that no later operation would have met again, is the one-off fault;
* two errnos at one operation, when nobody looked at the errno but to print it, and when, if the trouble
  is to last, both have the same scope (`faults.kinds.scope_of`): only words differ, and both alike;
* two kills between which nothing reached the disk, nothing was promised to the guest and nothing was
  said to management leave the same behind (`execution.Moment`).

Equal cases are counted as cases, and how many were answered this way is counted, too.
"""

from collections.abc import Mapping

import attrs

from blockops.lab.case import Case
from blockops.lab.evidence import Evidence
from blockops.lab.execution import Execution
from blockops.lab.exploring import Space
from blockops.lab.faults.fault import Fault
from blockops.lab.faults.host import HostFault
from blockops.lab.faults.kinds import MERE_ERRNO, Kind, scope_of
from blockops.lab.faults.process import KilledAtStep
from blockops.lab.gathering import gather
from blockops.lab.laws import judge
from blockops.lab.laws.judgement import Judgement


@attrs.frozen
class Judged:
    """A case with what each law says of it, and what of the core broke in it.

    *struck*: the fault met something; *again* and *looked* are as in `Clock`; *equal*: the case was not
    run, because it equals another that was.
    """

    case: str
    judgements: dict[str, Judgement]
    broken: tuple[str, ...] = ()
    struck: bool = True
    again: frozenset[str] = frozenset()
    looked: bool = True
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
    return Judged(case.id, judgements, broken, struck, evidence.again, evidence.looked)


@attrs.define
class Judging:
    """Judges cases of one setting in the order of its space, each distinct one once."""

    setting: Case
    space: Space
    _kills: dict[int, Judged] = attrs.field(factory=dict)
    _operation: int = 0
    _once: dict[Kind, Judged] = attrs.field(factory=dict)
    _lasting: dict[Kind, Judged] = attrs.field(factory=dict)

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
        if not isinstance(fault, HostFault) or fault.number != self._operation:
            return None
        if not fault.lasting:
            return _but_for_words(self._once, fault.kind)
        once = self._once.get(fault.kind)
        if once is not None and scope_of(fault.kind) not in once.again:
            return once
        same_scope = {k: j for k, j in self._lasting.items() if scope_of(k) == scope_of(fault.kind)}
        return _but_for_words(same_scope, fault.kind)

    def _remember(self, fault: Fault, found: Judged) -> None:
        if isinstance(fault, KilledAtStep):
            self._kills.setdefault(self.space.moment_of(fault.step), found)
        if not isinstance(fault, HostFault):
            return
        if fault.number != self._operation:
            self._operation = fault.number
            self._once.clear()
            self._lasting.clear()
        (self._lasting if fault.lasting else self._once)[fault.kind] = found


def _but_for_words(known: Mapping[Kind, Judged], kind: Kind) -> Judged | None:
    """Return a judgement under another errno at which nobody looked, if there is one."""
    if kind not in MERE_ERRNO:
        return None
    return next((found for other, found in known.items() if other in MERE_ERRNO and not found.looked), None)
