"""Requests of real guests on their way through the devices of a machine.

A request that has started is carried out when the event loop comes round, not at once: so several are in
flight together, and a command that takes its steps meanwhile meets them there and has to drain them.  One
that a closed gate holds back waits for the gate: who lets commands take steps calls `advance` after each.
"""

import asyncio

import attrs

from blockops.device import Device, Request, RequestState


@attrs.define(eq=False)
class Traffic:
    """What real guests have asked for and not got yet, oldest first."""

    _waiting: "list[tuple[Device, Request, asyncio.Future[None]]]" = attrs.field(factory=list)
    _due: bool = False

    async def carry_out(self, device: Device, request: Request) -> None:
        """Hand *request* in and return when it is done; its fields say how it went."""
        device.submit(request)
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._waiting.append((device, request, future))
        if not self._due:
            self._due = True
            loop.call_soon(self._come_round)
        await future

    def advance(self) -> None:
        """Carry out what has started, and tell those who wait for what is done."""
        before, self._waiting = self._waiting, []
        for device, request, future in before:
            if request.state is RequestState.IN_FLIGHT:
                try:
                    device.complete(request)
                except Exception as error:  # ours; it must not take the others with it
                    if not future.done():
                        future.set_exception(error)
                    continue
            if request.state is not RequestState.DONE:
                self._waiting.append((device, request, future))
            elif not future.done():
                future.set_result(None)

    def give_up(self) -> None:
        """Let nobody wait any longer: what is done by now has been told, the rest never will be."""
        for _, _, future in self._waiting:
            future.cancel()
        self._waiting.clear()

    def _come_round(self) -> None:
        self._due = False
        self.advance()
