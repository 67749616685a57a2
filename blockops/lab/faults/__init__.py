"""What the lab breaks, and the printable name of each way to break it.

fault          what a fault is: its hooks, and what a family of them brings
kinds          how a host operation fails
host           one host operation fails, or two        process      the hypervisor is killed
management     management dies, and may restart        surroundings what it finds is not as expected
pace           nothing is broken, the guest's pace differs
device         a device is not there, not fit, or comes and goes midway
jobs           somebody else ends a job
channel        between management and the hypervisor
power          the whole host loses its power
rival          a second manager wants the same

Operations and steps are counted from the moment at which management begins.  Left out, and so not
claimed: two faults of different sorts at once.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from blockops.lab.faults import (
    channel,
    device,
    host,
    jobs,
    management,
    pace,
    power,
    process,
    rival,
    surroundings,
)
from blockops.lab.faults.fault import Family, Fault

_FAMILIES = [
    pace.FAMILY,
    surroundings.FAMILY,
    device.FAMILY,
    host.FAMILY,
    process.FAMILY,
    channel.FAMILY,
    management.FAMILY,
    jobs.FAMILY,
    rival.FAMILY,
    power.FAMILY,
]

FAMILIES: Sequence[Family] = _FAMILIES
"""All families in the order in which a setting's space lists them: the simplest to read first."""

_GROUPS = {group: says for family in FAMILIES for group, says in family.groups.items()}

GROUPS: Mapping[str, str] = MappingProxyType(_GROUPS)
"""What `--fault` may choose from."""


def register(family: Family) -> None:
    """Add a family of somebody else's; ValueError where the name of one of its groups is taken."""
    for group in family.groups:
        if group in _GROUPS:
            raise ValueError(f"there are faults '{group}' already")
    _FAMILIES.append(family)
    _GROUPS.update(family.groups)


def parse_fault(text: str) -> Fault:
    """Return the fault that prints as *text*; ValueError where none does."""
    for family in FAMILIES:
        fault = family.parse(text)
        if fault is not None and str(fault) == text:
            return fault
    raise ValueError(f"'{text}' is not a fault (such as eio@17, enospc+@3, kill@step-8, manager-dies@2)")
