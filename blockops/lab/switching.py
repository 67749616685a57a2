"""Watching devices switch: whose guest was held back all the while from the first switch to the last?"""

from blockops.lab.evidence import Evidence
from blockops.lab.hypervisor import Hypervisor


def note_switches(hypervisor: Hypervisor | None, evidence: Evidence) -> None:
    """Note which devices went on between two switches: before a command begins, and after each step of it.

    What each device showed last is remembered in the evidence, with those that went on since the last
    switch: they count only if there is another.
    """
    if hypervisor is None:
        return
    tops = hypervisor.tops()
    before, since = evidence.switching or (tops, None)
    if tops != before:
        evidence.loose |= since or set()
        since = set()
    if since is not None:
        there = (
            (number, hypervisor.machine.devices.get(name)) for number, name in enumerate(hypervisor.names)
        )
        since |= {number for number, device in there if device is not None and not device.holds}
    evidence.switching = tops, since
