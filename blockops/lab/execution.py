"""Running one case: a deterministic scheduler over management, the hypervisor and the guest.

Two sides take turns as the world's schedule says.  The *operation* side is the command that the
hypervisor is carrying out or else, while no command runs, the management program; where both can go on
(management waits for no answer, or a connection has ended), they take turns.  The *guest* side is its
lanes, one step each in turn.  After each step of the operation each job takes one, and at the end the
jobs go on until none has anything to do.  Nothing else decides who runs: no clock, no chance.

    before     the guest works alone; nothing is counted yet
    operation  management begins; host operations and steps are counted, the fault is armed
    after      management has ended; the guest goes on for a while, then lets its requests end
    at rest    nothing breaks any more; what there is becomes evidence (`gathering`)
"""

import contextlib
import functools
import itertools
from collections.abc import Container, Mapping

import attrs

from blockops.errors import BlockError
from blockops.host.memory import MemoryDisk, MemoryFolder
from blockops.lab.case import Case
from blockops.lab.condition import Condition
from blockops.lab.crossroads import crossroads_with
from blockops.lab.evidence import Ending, Evidence, Exchange
from blockops.lab.faults.fault import HostOperation, Mishap
from blockops.lab.foregone import Foregone, Place
from blockops.lab.guest import Runner
from blockops.lab.history import History
from blockops.lab.hosts import Clock, FaultyFolder, ProcessKilled
from blockops.lab.hypervisor import Hypervisor
from blockops.lab.lines import Line, Reply, Switchboard, close_all
from blockops.lab.mirrors import MirrorWatch
from blockops.lab.moments import Moment, moment_of
from blockops.lab.power.journal import PowerLost
from blockops.lab.qemu.hypervisor import QemuHypervisor
from blockops.lab.reading import digests, initial_devices
from blockops.lab.results import Event
from blockops.lab.rivals import Rival
from blockops.lab.switching import note_switches
from blockops.lab.timeline import Timeline
from blockops.lab.world import MANAGEMENT, initial_disk
from blockops.machine import Background
from blockops.management.contestant import Inexpressible
from blockops.management.desk import Answer, Desk, Lost, Replied
from blockops.steps import Phase, Step, Steps

PATIENCE = 40
"""Turns without progress after which everybody waits for somebody: the case has come to rest."""

JOBS_END = 400
"""Steps that each job has at the end: one that tries again and again without success is left alone then."""


@attrs.define(eq=False)
class Execution:
    """One case on its way.  *recording* keeps the list of host operations, *watched* the timeline.

    *known*: where it need not go on after a short transfer was made good; `Foregone` ends it then.
    """

    case: Case
    recording: bool = False
    watched: bool = False
    known: Container[Place] = ()
    clock: Clock = attrs.field(init=False)
    disk: MemoryDisk = attrs.field(init=False)
    evidence: Evidence = attrs.field(init=False)
    _told: Timeline = attrs.field(init=False)
    steps: int = 0
    manager_steps: int = 0
    operation_steps: int = 0
    moments: list[tuple[int, Moment]] = attrs.field(factory=list)
    jobs: list[tuple[int, str]] = attrs.field(factory=list)
    hypervisor: Hypervisor | None = attrs.field(init=False)
    _management: Steps[None] | None = None
    switchboard: Switchboard = attrs.field(init=False)
    rival: Rival | None = None
    _in_doubt: bool = False
    _recovering: bool = False
    _mirrors: MirrorWatch = attrs.field(init=False)
    _rotation: list[Runner] = attrs.field(init=False)
    _turn: int = 0
    _idle: int = 0

    def __attrs_post_init__(self) -> None:
        self.clock = Clock(self.case.fault, self.recording, made_good=self._made_good)
        self._told = Timeline(self.case.fault, self.clock, self.watched)
        self.disk = initial_disk(self.case.world).fork()
        self.evidence = Evidence(self.case, History())
        self.evidence.began_with(initial_devices(self.case.world))
        images, say = self.case.world.images(), functools.partial(self.say, "guest")
        start = QemuHypervisor.start if self.case.contestant.entry.real else Hypervisor.start
        self.hypervisor = start(self.case, self.disk, self.clock, images, self.evidence.history, say)
        self.disk = self.hypervisor.folder.disk
        self._mirrors = MirrorWatch(self.hypervisor.machine.graph, self.evidence.mirrored, self.evidence.left)
        self._rotation = self.hypervisor.guest.rotation()
        self.switchboard = Switchboard.of(self.hypervisor.connection)
        self.case.fault.arrange(self)
        self.evidence.digests_before = digests(self.disk)

    # ------------------------------------------------------------------------------- the four phases

    def go(self) -> None:
        """Run the case until it is at rest."""
        with contextlib.suppress(PowerLost):
            for phase in (self._before, self._operation, self._after):
                phase()
        self.case.fault.relent(self)
        self.clock.running, self.clock.actor = False, "management"
        self.clock.disarm()
        self.evidence.hits, self.evidence.way = tuple(self.clock.hits), tuple(self.clock.way)
        self.evidence.troubles, self.evidence.asked = self.clock.troubles, self.clock.asked
        self.evidence.doubled = self.clock.nobodys_doing

    def _before(self) -> None:
        for _ in range(self.case.world.workload.before):
            self._step_guest()

    def _operation(self) -> None:
        program = self.case.contestant.program(self.case.use_case.id)
        assert not isinstance(program, Inexpressible), "an inexpressible use case has no cases"
        self._management = program(self.desk(), self.case.wish)
        note_switches(self.hypervisor, self.evidence)
        self.clock.running, fault = True, self.case.fault
        for guest_steps in itertools.cycle(self.case.world.schedule):
            if not self._busy() or self._idle > PATIENCE:
                break
            self._step_operation()
            self._step_jobs()
            self.operation_steps += 1
            if self.recording and self.hypervisor is not None:
                self.jobs += [
                    (self.operation_steps, job.device) for job in self.hypervisor.machine.background
                ]
            for _ in range(fault.guest_steps(self.operation_steps, guest_steps, idle=self._idle > 0)):
                self._step_guest()
            fault.befall(self, self.operation_steps)

    def _after(self) -> None:
        for _ in range(self.case.world.workload.after):
            self._step_jobs()
            self._step_guest()
        if self.hypervisor is not None:
            self.hypervisor.guest.active = False
        self._idle = 0
        while self._idle <= PATIENCE and not all(runner.ended for runner in self._rotation):
            self._step_jobs()
            self._step_guest()
        for _ in range(JOBS_END):
            if not self._step_jobs():
                break

    def _busy(self) -> bool:
        return self._management is not None or bool(self.switchboard.lines)

    # ------------------------------------------------------------------------------------- one step

    def _step_operation(self) -> None:
        """Let whoever has not had a turn for longest take a step, of those who can."""
        if self._in_doubt and self.hypervisor is not None and self.switchboard.quiet:
            self._in_doubt = False
            self._look_around(self.hypervisor)
        line = self.switchboard.turn(self._management_can_go_on())
        if line is not None:
            self._step_line(line)
            note_switches(self.hypervisor, self.evidence)
        elif self._management is not None:
            self._step_management(self._management)

    def _management_can_go_on(self) -> bool:
        """Whether it waits for nothing, or a fault that does not wait for its command to end is due."""
        fault = self.case.fault
        due = fault.restarts_management and fault.kills_management(self.manager_steps + 1)
        return self._management is not None and (due or self.switchboard.awaited is None)

    def _step_line(self, line: Line) -> None:
        if not self._alive():
            return
        self.clock.actor = "hypervisor"
        begins = line.wants
        try:
            work = line.current()
            if begins and line.exchange is not None and self.hypervisor is not None:
                line.exchange.before, line.exchange.tops = self.hypervisor.faces(), self.hypervisor.tops()
            step = next(work)
        except StopIteration as stop:
            self._answered(line, stop.value)
        except ProcessKilled:
            self.kill()
        else:
            self._idle = self._idle + 1 if step.waits_for is not None else 0
            if not self.evidence.gate_closed and self.hypervisor is not None:
                self.evidence.gate_closed = self.hypervisor.gate_closed()
            self.say("hypervisor", step)
        self._mirrors.look(self.evidence.history.time)

    def _step_jobs(self) -> bool:
        """Let each job take one step; return whether one of them did anything."""
        if self.hypervisor is None or not self.hypervisor.machine.background:
            return False
        stepped = [self._alive() and self._step_job(job) for job in tuple(self.hypervisor.machine.background)]
        return any(stepped)

    def _step_job(self, job: Background) -> bool:
        assert self.hypervisor is not None
        self.clock.actor = "job"
        before = self.hypervisor.faces()
        try:
            step = job.step()
        except ProcessKilled:
            self.kill()
            return True
        self._mirrors.look(self.evidence.history.time)
        if self.switchboard.exchange is not None:
            self.switchboard.exchange.leave_out(before, self.hypervisor.faces())
        if step is None:
            return False
        if step.waits_for is None:
            self._idle = 0
        self.say("job", step)
        return True

    def _step_management(self, program: Steps[None]) -> None:
        self.manager_steps += 1
        self.steps += 1
        if self.case.fault.kills_management(self.manager_steps):
            self._bury_management()
            return
        self.clock.actor = "management"
        self._idle = 0
        try:
            step = next(program)
        except StopIteration:
            self._ended(Ending.RECOVERED if self._recovering else Ending.SUCCEEDED, "")
        except BlockError as error:
            failed = Ending.NOT_RECOVERED if self._recovering else Ending.FAILED
            self._ended(Ending.CUT_OFF if self.hypervisor is None else failed, str(error))
        else:
            self.say("management", step)

    def _step_guest(self) -> None:
        """Let the next lane that can run take one step."""
        self.evidence.stall.turn(self.clock.number)
        rotation = self._rotation
        for _ in rotation:
            runner = rotation[self._turn % len(rotation)]
            self._turn += 1
            if not runner.blocked and (not self._alive() or self._step_lane(runner)):
                return
        self._idle += 1
        self.evidence.stall.stood()

    def _step_lane(self, runner: Runner) -> bool:
        """Let one lane take a step; return whether that was progress."""
        self.clock.actor = "guest"
        hits = len(self.clock.hits)
        try:
            progress = runner.step()
        except ProcessKilled:
            self.kill()
            return True
        if len(self.clock.hits) > hits:
            needed = self.hypervisor.read_paths() if self.hypervisor is not None else ()
            self.evidence.own_hits += sum(hit.path in needed for hit in self.clock.hits[hits:])
        if progress:
            self._idle = 0
            self.evidence.stall.moved(self.clock.number)
        return progress

    def _alive(self) -> bool:
        """Count a step of the hypervisor or the guest in it; kill it where the fault says so."""
        self.evidence.history.time += 1
        if self.clock.running:
            self.steps += 1
            if self.recording:
                self.moments.append(
                    (self.steps, moment_of(self.evidence, self.clock, self.manager_steps, self.hypervisor))
                )
            if self.hypervisor is not None and self.case.fault.kills_hypervisor(self.steps):
                self.kill()
        return self.hypervisor is not None

    # ------------------------------------------------------------------------------------ the channel

    def desk(self) -> Desk:
        """Return management's desk: its own process on the host, and the channel to the hypervisor."""
        host = FaultyFolder(MemoryFolder(self.disk), self.clock)
        return Desk(host, self._send, volumes=self.case.world.volume_names())

    def _send(self, command: str, arguments: Mapping[str, object]) -> Steps[Answer]:
        self.clock.clear()
        hypervisor = self.hypervisor
        if hypervisor is None:
            yield Step(Phase.SEND, command)
            return Lost()
        exchange = Exchange(command, arguments, hypervisor.faces(), first_hit=len(self.clock.hits))
        self.evidence.exchanges.append(exchange)
        mishap = self.case.fault.befalls(len(self.evidence.exchanges))
        if mishap is not Mishap.NONE:
            self.say("fault", "the command ", command, ": ", mishap.value)
        self.switchboard.carry(exchange, mishap)
        self._in_doubt = self._in_doubt or mishap.silent
        yield Step(Phase.SEND, command)
        answer = Lost() if mishap.silent or exchange.answer is None else exchange.answer
        self.say("management", command, ": ", answer)
        return answer

    def _look_around(self, hypervisor: Hypervisor) -> None:
        """Note what can be seen where an outcome is unknown, and which choices are right; breaks nothing."""
        self.clock.running = False
        self.evidence.crossroads = crossroads_with(hypervisor, self.evidence, not self._recovering)
        self.clock.running = True

    def _answered(self, line: Line, reply: Reply) -> None:
        exchange = self.switchboard.ended(line)
        self.clock.clear()
        if exchange is None or self.hypervisor is None:
            return
        if exchange.answer is None:
            exchange.answer = Replied.from_reply(reply)
        exchange.after = self.hypervisor.faces()
        exchange.hits = tuple(h for h in self.clock.hits[exchange.first_hit :] if h.actor == "hypervisor")

    def begin_rival(self) -> None:
        """Let a second manager begin what management was asked for."""
        self.rival = Rival.begin(self)

    def unplug(self, device: str, condition: Condition) -> None:
        """Take a device away from the living hypervisor, whatever goes on; *condition* says since when."""
        hypervisor = self.hypervisor
        if hypervisor is not None:
            number = hypervisor.names.index(device)
            running = self.switchboard.exchange
            hypervisor.unplug(device, None if running is None else running.tops[number])
            self.evidence.conditions[number] = condition
            self.say("fault", device, " is unplugged")

    # -------------------------------------------------------------------------------------- endings

    def kill(self) -> None:
        """End the hypervisor abruptly, the guest and the command that runs with it."""
        hypervisor, self.hypervisor = self.hypervisor, None
        assert hypervisor is not None
        self.say("fault", "the hypervisor is killed")
        self.evidence.tops, self.evidence.opened = hypervisor.tops(), hypervisor.opened()
        self.evidence.killed = True
        self.clock.dead = True
        close_all([*(line.work for line in self.switchboard.lines), *(one.lane for one in self._rotation)])
        hypervisor.die()
        self.switchboard, self._rotation = Switchboard(self.switchboard.server, None), []

    def _made_good(self, short: HostOperation) -> None:
        needed = self.hypervisor.read_paths() if self.hypervisor is not None else ()
        place = short.actor, len(self.evidence.exchanges), short.actor == "guest" and short.path in needed
        self.evidence.made_good = place
        if place in self.known:
            raise Foregone(place)

    def abandon(self) -> None:
        """End everything where it stands; nothing that this does is counted, and nothing breaks."""
        self.clock.running = False
        self.clock.disarm()
        lines = (line.work for line in self.switchboard.lines)
        close_all([self._management, *lines, *(one.lane for one in self._rotation)])

    def _bury_management(self) -> None:
        self.say("fault", "management dies")
        if not self.case.fault.restarts_management:
            self._ended(Ending.DIED, "")
            return
        if self.switchboard.awaited is not None:
            self.switchboard.awaited.answer = Lost()
        self.switchboard.hang_up()
        folder, notes = MemoryFolder(self.disk), f"{MANAGEMENT}/notes.json"
        self.evidence.noted = folder.exists(notes)
        if self.case.fault.forgets_notes and self.evidence.noted:
            folder.unlink(notes)
        self.say("management", "a new process recovers")
        self._management = self.case.contestant.recover(self.desk(), self.case.wish)
        self._in_doubt = self.evidence.crossroads is None
        self._recovering = True

    def _ended(self, ending: Ending, why: str) -> None:
        """Management is over, one way or another: its connection closes."""
        self._management = None
        self.switchboard.hang_up()
        self.evidence.ending, self.evidence.failure = ending, why
        self.say("management", ending.value, ": " if why else "", why)

    @property
    def timeline(self) -> list[Event]:
        """What happened, where it is watched."""
        return self._told.events

    def say(self, actor: str, *words: object) -> None:
        """Put into the timeline what *actor* does now."""
        self._told.say(self.steps, actor, *words)
