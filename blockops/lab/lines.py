"""The lines between management and the hypervisor: connections, and whose turn it is.

A line carries out one command after the other, in the order in which they were sent.  Hung up, it lets
what has arrived come to its end and then tells the server, which may take its time over it.  No two
commands run at once, whatever the line; what a server does about an ended connection runs beside them.
"""

from collections import deque
from collections.abc import Generator, Iterable, Mapping
from typing import TypeAlias

import attrs

from blockops.errors import BlockError
from blockops.lab.evidence import Exchange
from blockops.lab.faults.fault import Mishap
from blockops.lab.hosts import ProcessKilled
from blockops.management.desk import Lost
from blockops.qmp.dispatch import Connection, Server
from blockops.steps import Steps

Reply: TypeAlias = dict[str, object]


@attrs.define(eq=False)
class Line:
    """One connection with what has arrived over it and is not done yet.

    *exchange* is what the running command answers; a second delivery answers nobody.
    """

    connection: Connection
    work: Steps[Reply] | None = None
    exchange: Exchange | None = None
    commanding: bool = False
    hung_up: bool = False
    over: bool = False
    _waiting: deque[tuple[Mapping[str, object], Exchange | None]] = attrs.field(factory=deque)

    def send(self, message: Mapping[str, object], exchange: Exchange | None) -> None:
        """Let a command arrive."""
        self._waiting.append((message, exchange))

    def hang_up(self) -> None:
        """End the connection, once what has arrived is done."""
        self.hung_up = True

    @property
    def wants(self) -> bool:
        """Whether there is something to be begun."""
        return self.work is None and not self.over and (bool(self._waiting) or self.hung_up)

    @property
    def quiet(self) -> bool:
        """Whether no command runs or waits on it."""
        return not self.commanding and not self._waiting

    def current(self) -> Steps[Reply]:
        """Return what it is at, or else begin what comes next."""
        if self.work is None:
            self.commanding = bool(self._waiting)
            if self._waiting:
                message, self.exchange = self._waiting.popleft()
                self.work = self.connection.execute(dict(message))
            else:
                self.work = self._ending()
        return self.work

    def ended(self) -> Exchange | None:
        """Note that what it was at has ended; return the exchange that this answers, if any."""
        exchange, self.exchange = self.exchange, None
        self.over = not self.commanding
        self.work, self.commanding = None, False
        return exchange

    def _ending(self) -> Steps[Reply]:
        yield from self.connection.disconnect()
        return {}


def close_all(generators: Iterable[Generator[object, None, object] | None]) -> None:
    """Drop what was running; whatever its clean-up tries on the disk dies too."""
    for generator in generators:
        try:
            if generator is not None:
                generator.close()
        except (ProcessKilled, BlockError):
            continue


@attrs.define(eq=False)
class Switchboard:
    """All lines, the one that management uses (None: it would open a new one), and what it waits for.

    *actors* are the lines and management (None), who has had no turn for longest first.
    """

    server: Server
    line: Line | None
    awaited: Exchange | None = None
    actors: list[Line | None] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.actors = [None] if self.line is None else [self.line, None]

    @classmethod
    def of(cls, connection: Connection) -> "Switchboard":
        """Return the switchboard on which management uses *connection*."""
        return cls(connection.server, Line(connection))

    @property
    def lines(self) -> list[Line]:
        """The lines that are not over."""
        return [actor for actor in self.actors if actor is not None]

    @property
    def exchange(self) -> Exchange | None:
        """What the command that runs answers, if one does."""
        return next((line.exchange for line in self.lines if line.exchange is not None), None)

    @property
    def quiet(self) -> bool:
        """Whether no command runs or waits."""
        return all(line.quiet for line in self.lines)

    def turn(self, management: bool) -> Line | None:
        """Return the line that goes on now, or None: management, if *management* says that it can."""
        for actor in self.actors:
            if management if actor is None else self._able(actor):
                self.actors.remove(actor)
                self.actors.append(actor)
                return actor
        return self.actors[-1]

    def carry(self, exchange: Exchange, mishap: Mishap) -> None:
        """Send a command, and let befall it what does."""
        if self.line is None:
            self.line = Line(self.server.connect("management"))
            self.actors.append(self.line)
        message = {"execute": exchange.command, "arguments": exchange.arguments}
        if mishap is not Mishap.LOST:
            self.line.send(message, exchange)
        if mishap is Mishap.TWICE:
            self.line.send(message, None)
        if mishap.silent:
            exchange.answer = Lost()
        if mishap in (Mishap.NONE, Mishap.TWICE, Mishap.UNANSWERED):
            self.awaited = exchange
        if mishap is Mishap.DROPPED:
            self.hang_up()

    def second_line(self) -> Line:
        """Open another connection: not management's, but of somebody like it."""
        line = Line(self.server.connect("second manager"))
        self.actors.append(line)
        return line

    def hang_up(self) -> None:
        """End the connection of management that is; what it sends next goes over a new one."""
        if self.line is not None:
            self.line.hang_up()
        self.line, self.awaited = None, None

    def ended(self, line: Line) -> Exchange | None:
        """Note that what *line* was at has ended; return the exchange that this answers, if any."""
        exchange = line.ended()
        if line.over:
            self.actors.remove(line)
        if exchange is not None and exchange is self.awaited:
            self.awaited = None
        return exchange

    def _able(self, line: Line) -> bool:
        return line.work is not None or (line.wants and not any(one.commanding for one in self.lines))
