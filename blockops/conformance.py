"""What every contestant must keep so that the lab can judge it, whatever the judgement will be.

    def test_my_contestant() -> None:
        check_contestant(ENTRY)

A design may break any law: that is a finding.  It may not break the lab: be different from run to run,
claim a use case that it does not reach with nothing broken, answer with what is not QMP, raise what is
not an error of ours, or die with more than its process.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping

import attrs

from blockops.lab.case import Case
from blockops.lab.evidence import Ending, Evidence
from blockops.lab.execution import Execution
from blockops.lab.exploring import NotDeterministic, record, space
from blockops.lab.faults.pace import NoFault
from blockops.lab.gathering import gather
from blockops.lab.judging import judged
from blockops.lab.laws.atomicity import device_states
from blockops.lab.laws.house import sound
from blockops.lab.results import Verdict
from blockops.lab.world import World
from blockops.management.contestant import Contestant, Entry, Inexpressible, Manager
from blockops.management.desk import Replied
from blockops.management.use_cases import USE_CASES, UseCase, fit_for_a_case_id
from blockops.qmp.dispatch import Connection
from blockops.steps import run

DEATHS = frozenset({"kill", "manager-dies"})
"""The groups of faults in which somebody dies."""

MUST_HAVE = ("blockdev-snapshot-sync", "query-block")
"""Commands that the lab itself, or any manager, sends to every contestant."""

Check = Callable[[Contestant], Iterator[str]]
"""Yields a sentence for everything that is wrong."""


def check_contestant(entry: Entry, checks: Iterable[str] = ()) -> None:
    """Raise an AssertionError that names all that is wrong with *entry*; by default by all `CHECKS`.

    Takes some seconds for each use case, profile and manager.
    """
    chosen = tuple(checks) or tuple(CHECKS)
    problems = [
        f"{contestant.id}: {name}: {problem}"
        for contestant in contestants_of(entry)
        for name in chosen
        for problem in _found(CHECKS[name], contestant)
    ]
    assert not problems, "\n".join(problems)


def _found(check: Check, contestant: Contestant) -> Iterator[str]:
    try:
        yield from check(contestant)
    except Exception as error:  # a stranger's code may raise anything
        yield f"{type(error).__name__}: {error}"


def contestants_of(entry: Entry) -> tuple[Contestant, ...]:
    """Return *entry* in each of its profiles under each manager."""
    return tuple(Contestant(entry, profile, manager) for profile in entry.profiles for manager in Manager)


# ------------------------------------------------------------------------------------------- on its face


def _fits_into_case_ids(contestant: Contestant) -> Iterator[str]:
    if not fit_for_a_case_id(contestant.entry.id):
        yield f"'{contestant.entry.id}' must be lower-case words joined by dashes"


def _answers_for_every_use_case(contestant: Contestant) -> Iterator[str]:
    for use_case in USE_CASES:
        program = contestant.program(use_case)
        if isinstance(program, Inexpressible) and not program.reason.strip():
            yield f"{use_case}: no reason why it is inexpressible"
    if contestant.manager not in contestant.entry.recover:
        yield f"no recovery program for the {contestant.manager.value} manager"


def _has_the_commands_of_all(contestant: Contestant) -> Iterator[str]:
    commands = started(contestant).server.proposal.commands
    yield from (f"no command '{name}'" for name in MUST_HAVE if name not in commands)
    yield from (
        f"'{name}' calls itself '{command.name}'"
        for name, command in commands.items()
        if command.name != name
    )


# ------------------------------------------------------------------------------------------ on the wire


MESSAGES: tuple[object, ...] = (
    None,
    {},
    {"execute": 7},
    {"execute": "no-such-command", "id": [1]},
    {"execute": "query-block", "arguments": {"no-such": 1}, "id": "x"},
    {"execute": "blockdev-snapshot-sync", "arguments": {}},
    {"execute": "blockdev-snapshot-sync", "arguments": {"device": "nobody", "snapshot-file": "/vm/x"}},
    {"execute": "query-block"},
)
"""What any client may send; the last one only is right."""


def _answers_in_qmp(contestant: Contestant) -> Iterator[str]:
    for message in MESSAGES:
        reply = run(started(contestant).execute(message))
        fits = set(reply) - {"id"} in ({"return"}, {"error"}) and _is_json(reply)
        right = ("return" in reply) is (message is MESSAGES[-1])
        if not (fits and right):
            yield f"{message} is answered by {reply}"


def _replies_of_its_programs(contestant: Contestant) -> Iterator[str]:
    for evidence in _fault_free(contestant):
        for exchange in evidence.exchanges:
            answer = exchange.answer
            if not isinstance(answer, Replied) or not _is_json(answer.value):
                yield f"{evidence.case.use_case.id}: {exchange.command} is answered by {answer}"


def _is_json(value: object) -> bool:
    try:
        return bool(json.loads(json.dumps(value)) == value)
    except (TypeError, ValueError):
        return False


def _stays_when_a_stranger_leaves(contestant: Contestant) -> Iterator[str]:
    execution = _execution(contestant, USE_CASES["group-snapshot"])
    hypervisor = execution.hypervisor
    assert hypervisor is not None
    before = hypervisor.tops(), hypervisor.rest(), execution.disk.names("/vm")
    run(hypervisor.connection.server.connect("a stranger").disconnect())
    if (hypervisor.tops(), hypervisor.rest(), execution.disk.names("/vm")) != before:
        yield "something changed when a client left that had sent nothing"


# ------------------------------------------------------------------------------------------- in the lab


def _is_deterministic(contestant: Contestant) -> Iterator[str]:
    for case in cases_of(contestant):
        try:
            record(case)
        except NotDeterministic as error:
            yield str(error)


def _reaches_what_it_expresses(contestant: Contestant) -> Iterator[str]:
    for evidence in _fault_free(contestant):
        name = evidence.case.setting
        if evidence.ending is not Ending.SUCCEEDED:
            yield f"{name}: with nothing broken management {evidence.ending.value}: {evidence.failure}"
        elif set(device_states(evidence)) != {"new"}:
            yield f"{name}: with nothing broken the devices are {', '.join(device_states(evidence))}"
        elif (found := sound(evidence)).verdict is Verdict.VIOLATED:
            yield f"{name}: with nothing broken {found.sentence}"


def _dies_with_its_process_only(contestant: Contestant) -> Iterator[str]:
    for case in cases_of(contestant):
        for fault in space(case, record(case), DEATHS, complete=True).faults:
            yield from judged(attrs.evolve(case, fault=fault)).broken


CHECKS: Mapping[str, Check] = {
    "fits into case ids": _fits_into_case_ids,
    "answers for every use case": _answers_for_every_use_case,
    "has the commands of all": _has_the_commands_of_all,
    "answers in QMP": _answers_in_qmp,
    "its programs get replies": _replies_of_its_programs,
    "stays when a stranger leaves": _stays_when_a_stranger_leaves,
    "is deterministic": _is_deterministic,
    "reaches what it expresses": _reaches_what_it_expresses,
    "dies with its process only": _dies_with_its_process_only,
}
"""What is checked, by name: each fit to be a test of its own."""


def cases_of(contestant: Contestant) -> Iterator[Case]:
    """Yield the fault-free case of every use case that *contestant* expresses, on the fewest devices."""
    for use_case in USE_CASES.values():
        if not isinstance(contestant.program(use_case.id), Inexpressible):
            yield Case(contestant, use_case, World(devices=use_case.device_counts[0]), NoFault())


def _execution(contestant: Contestant, use_case: UseCase) -> Execution:
    return Execution(Case(contestant, use_case, World(devices=2), NoFault()))


def started(contestant: Contestant) -> Connection:
    """Return a connection to a hypervisor of *contestant*'s that has just been started."""
    hypervisor = _execution(contestant, USE_CASES["group-snapshot"]).hypervisor
    assert hypervisor is not None
    return hypervisor.connection


def _fault_free(contestant: Contestant) -> Iterator[Evidence]:
    for case in cases_of(contestant):
        execution = Execution(case)
        execution.go()
        yield gather(execution)
