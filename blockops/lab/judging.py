"""Judging cases, equal ones once.

Two cases of a setting are equal, and only one of them is run, where the recorded run proves it:

* a fault that is to last, but that no later operation would have met again, is the one-off fault; so is
  one that is to last until it is cleared, where none would have met it until then;
* a fault that lasts until it is cleared is the lasting one, where that one has met nothing after that;
* two errnos at one operation, when nobody compared the errno with either of them, and when, if the
  trouble is to last, both have the same scope (`faults.kinds.scope_of`): only words differ, and both alike;
* a flush or a sync that fails after its effect is the one that fails before it, when nobody asked what
  holds after the error: neither loses anything, as long as there is no power loss;
* two short transfers, each made good by the next operation, that fell between the same commands
  (`foregone`): from there on both runs are the one without a fault;
* two kills between which nothing reached the disk, nothing was promised to the guest and nothing was
  said to management leave the same behind (`moments`);
* a manager that forgets its notes is the one that restarts with them, where there were none; and one that
  is to die again is the one that dies once, where its recovery has ended by then.

Equal cases are counted as cases, and how many were answered this way is counted, too.
"""

from collections.abc import Container, Mapping
from typing import TypeAlias

import attrs

from blockops.lab.case import Case
from blockops.lab.evidence import Crossroads, Evidence
from blockops.lab.exploring import Space
from blockops.lab.faults.fault import Fault
from blockops.lab.faults.host import HostFault, Span
from blockops.lab.faults.kinds import ERRNO, LOSES_NOTHING, MERE_ERRNO, ONE_FILE, Kind, scope_of
from blockops.lab.faults.management import ManagerForgets, ManagerRestarts
from blockops.lab.faults.pace import NoFault
from blockops.lab.faults.process import KilledAtOperation, KilledAtStep
from blockops.lab.foregone import Foregone, Place
from blockops.lab.gathering import gather
from blockops.lab.injected import Asked
from blockops.lab.interleaving.ordered import execution_of
from blockops.lab.laws import judge
from blockops.lab.laws.judgement import Judgement
from blockops.lab.masking import Outside, is_masked, is_usual, remember, remembered
from blockops.lab.scenario import seen_in


@attrs.frozen
class Judged:
    """A case with what each law says of it, and what of the core broke in it.

    *seen*: what the oracles of scenarios say of it or, where it was not run, of the case that it equals.
    *struck*: the fault met something (of a pair, and of two deaths: both did); *masked*: it did, and nothing
    is visible of it (`masking`), as far as that was asked; *again*, *within* and *beyond* are those of
    the last of its troubles (`faults.host.Trouble`), *operation* is what that struck first;
    *asked*, *way*, *made_good*, *noted* and *manager_steps* are as in `Evidence`; *equal*: the case was not
    run to its end, because it equals another that was.
    """

    case: str
    judgements: dict[str, Judgement]
    broken: tuple[str, ...] = ()
    struck: bool = True
    masked: bool = False
    again: frozenset[str] = frozenset()
    within: frozenset[str] = frozenset()
    beyond: bool = True
    operation: str = ""
    asked: Asked = attrs.field(factory=Asked)
    way: tuple[int, ...] = ()
    equal: bool = False
    crossroads: Crossroads | None = None
    made_good: Place | None = None
    seen: dict[str, Judgement] = attrs.field(factory=dict)
    noted: bool = False
    manager_steps: int = 0

    def lasted(self, fault: Fault) -> bool:
        """Whether *fault*, which broke this case, went on to strike after it had struck once."""
        if not fault.lasts:
            return False
        last = fault.host_faults[-1]
        return scope_of(last.kind) in (self.again if last.span is Span.LASTING else self.within)


def evidence_of(case: Case, known: Container[Place] = ()) -> Evidence:
    """Run one case and return what is known of it; raises `Foregone` where *known* has it already."""
    execution = execution_of(case, known)
    try:
        execution.go()
    except Foregone:
        execution.abandon()
        raise
    return gather(execution)


def judged(case: Case, known: Container[Place] = (), usual: Outside | None = None) -> Judged:
    """Run one case and judge it by all laws.  What breaks inside the core or the lab is reported as such.

    *usual*: what is visible of its setting where nothing breaks; without it no case is known to be masked.
    """
    try:
        evidence = evidence_of(case, known)
        judgements, seen = dict(judge(evidence)), seen_in(evidence)
    except Exception as error:  # whatever it is, it is ours, and the run must say so
        return Judged(case.id, {}, (f"{case.id}: {type(error).__name__}: {error}",))
    broken = tuple(f"{case.id}: {sentence}" for sentence in evidence.broken)
    if is_usual(evidence):
        remember(evidence, judgements)
    struck, masked = has_struck(evidence), masked_in(evidence, judgements, usual)
    if not evidence.troubles:
        return Judged(
            case.id,
            judgements,
            broken,
            struck,
            masked,
            crossroads=evidence.crossroads,
            seen=seen,
            noted=evidence.noted,
            manager_steps=evidence.manager_steps,
        )
    last = evidence.troubles[-1]
    again, within = frozenset(last.again), frozenset(last.within)
    operation = "" if last.first is None else last.first.operation
    return Judged(
        case.id,
        judgements,
        broken,
        struck,
        masked,
        again,
        within,
        last.beyond,
        operation,
        evidence.asked,
        evidence.way,
        made_good=evidence.made_good,
        seen=seen,
    )


def has_struck(evidence: Evidence) -> bool:
    """Whether the fault met something: pairs and second deaths are listed without knowing that they will."""
    if evidence.killed:
        return True
    met = all(trouble.first is not None for trouble in evidence.troubles)
    return met and evidence.case.fault.has_ended(evidence.manager_steps)


def masked_in(evidence: Evidence, judgements: Mapping[str, Judgement], usual: Outside | None) -> bool:
    """Whether the fault struck and left nothing visible; *usual* as in `judged`."""
    return usual is not None and has_struck(evidence) and is_masked(evidence, judgements, usual)


def usual_of(setting: Case) -> Outside | None:
    """Return what is visible of a setting under its order if nothing breaks; None where the lab does."""
    if remembered(setting) is None:
        judged(attrs.evolve(setting, fault=NoFault()))
    return remembered(setting)


_NEVER_MASKED = (NoFault, KilledAtOperation, KilledAtStep)
"""A case without a fault has none that could be, and that a process has died always shows."""

_Point: TypeAlias = tuple[tuple[HostFault, ...], int]
_Kinds: TypeAlias = dict[Kind, Judged]


@attrs.define
class Judging:
    """Judges cases of one setting in the order of its space, each distinct one once.

    Of the host faults at one point (the same operation, after the same first failure) it remembers what
    came of each, by what they are before or after: the effect; and then by span and kind.
    """

    setting: Case
    space: Space
    _kills: dict[int, Judged] = attrs.field(factory=dict)
    _restarts: dict[int, Judged] = attrs.field(factory=dict)
    _made_good: dict[Place, Judged] = attrs.field(factory=dict)
    _usual: Outside | None = None
    _point: _Point | None = None
    _there: dict[tuple[bool, Span], _Kinds] = attrs.field(factory=dict)

    def judge(self, fault: Fault) -> Judged:
        """Return the judgement of the setting broken by *fault*."""
        case = attrs.evolve(self.setting, fault=fault)
        known = self._known(fault)
        found = self._judged(case) if known is None else _equal(known, case)
        self._remember(fault, found)
        return found

    def _judged(self, case: Case) -> Judged:
        if self._usual is None and not isinstance(case.fault, _NEVER_MASKED):
            self._usual = usual_of(case)
        try:
            found = judged(case, self._made_good, self._usual)
        except Foregone as known:
            # What it would have met later, had it lasted, is not known.
            scope = frozenset({ONE_FILE})
            return attrs.evolve(_equal(self._made_good[known.place], case), again=scope, within=scope)
        if found.made_good is not None and not found.broken:
            self._made_good.setdefault(found.made_good, found)
        return found

    def _known(self, fault: Fault) -> Judged | None:
        moment = self.space.moment_of(fault)
        if moment is not None:
            return self._kills.get(moment)
        if not fault.host_faults:
            return self._with_one_restart(fault)
        if _point_of(fault) != self._point:
            return None
        last = fault.host_faults[-1]
        return self._with_other_span(last) or self._with_other_errno(last) or self._before_effect(last)

    def _with_one_restart(self, fault: Fault) -> Judged | None:
        """Return what came of the restart with notes and no second death, if that makes no difference."""
        match fault:
            case ManagerForgets(step=step):
                once = self._restarts.get(step)
                return None if once is None or once.noted else once
            case ManagerRestarts(step=step, again=int(again)):
                once = self._restarts.get(step)
                # One step more than it took: it might have died waiting.
                if once is None or step + again <= once.manager_steps:
                    return None
                return attrs.evolve(once, struck=False, masked=False)
            case _:
                return None

    def _with_other_span(self, fault: HostFault) -> Judged | None:
        """Return what came of the same failure in another span, if this one would meet no more or less."""
        if fault.span is Span.ONCE:
            return None
        once = self._of(fault, Span.ONCE).get(fault.kind)
        if once is not None:
            met = once.again if fault.span is Span.LASTING else once.within
            if scope_of(fault.kind) not in met:
                return once
        lasting = self._of(fault, Span.LASTING).get(fault.kind)
        return lasting if fault.span is Span.CLEARED and lasting and not lasting.beyond else None

    def _with_other_errno(self, fault: HostFault) -> Judged | None:
        """Return what came of another errno in the same span, if nobody looked at that and it hit no less."""
        if fault.applied or fault.kind not in MERE_ERRNO:
            return None
        for kind, found in self._of(fault, fault.span).items():
            alike = fault.span is Span.ONCE or scope_of(kind) == scope_of(fault.kind)
            if not alike or kind not in MERE_ERRNO:
                continue
            if found.asked.errnos.isdisjoint((ERRNO[kind], ERRNO[fault.kind])):
                return found
        return None

    def _before_effect(self, fault: HostFault) -> Judged | None:
        """Return what came of the same failure before its effect, if that makes no difference."""
        before = self._there.get((False, fault.span), {}).get(fault.kind) if fault.applied else None
        if before is None or before.asked.effect:
            return None
        return before if before.operation in LOSES_NOTHING else None

    def _of(self, fault: HostFault, span: Span) -> _Kinds:
        return self._there.setdefault((fault.applied, span), {})

    def _remember(self, fault: Fault, found: Judged) -> None:
        moment = self.space.moment_of(fault)
        if moment is not None:
            self._kills.setdefault(moment, found)
        if isinstance(fault, ManagerRestarts) and fault.again is None:
            self._restarts[fault.step] = found
        if fault.host_faults:
            if _point_of(fault) != self._point:
                self._point = _point_of(fault)
                self._there.clear()
            last = fault.host_faults[-1]
            self._of(last, last.span)[last.kind] = found


def _equal(known: Judged, case: Case) -> Judged:
    return attrs.evolve(known, case=case.id, broken=(), equal=True)


def _point_of(fault: Fault) -> _Point:
    *before, last = fault.host_faults
    return tuple(before), last.number
