"""The scenarios, each with public reports of its class.

The reports were read as excerpts; what is said here of a class is ours, and none of them is quoted.
"""

from collections.abc import Mapping

from blockops.lab.results import Report
from blockops.lab.scenario import Scenario
from proposals.scenarios import oracles


def threads(*names: str) -> tuple[Report, ...]:
    """Return public threads by "owner/repository#number"."""
    return tuple(Report(name, f"https://github.com/{name.replace('#', '/issues/')}") for name in names)


_IN_ORDER = (
    Scenario(
        id="stuck-frozen",
        kind="F1",
        says="Freeze without thaw: something fails in between, or whoever was to thaw dies.",
        tells="A guest is held back when everybody has gone.",
        use_case="group-snapshot",
        faults=("manager-dies", "eio"),
        oracle=oracles.stuck_frozen,
        reports=threads(
            "vmware/open-vm-tools#27",
            "velero-io/velero#511",
            "velero-io/velero#2113",
            "LINBIT/linstor-server#138",
            "kubevirt/kubevirt#5942",
            "oVirt/vdsm#160",
        ),
    ),
    Scenario(
        id="freeze-downgraded",
        kind="F2",
        says="Not all was quiet, and the result was accepted all the same.",
        tells="Success was reported, and the guest of some device was not held back from the first switch to "
        "the last.",
        use_case="group-snapshot",
        faults=("guest-runs", "guest-lags", "disconnect", "eio"),
        oracle=oracles.freeze_downgraded,
        reports=threads(
            "kubevirt/kubevirt#14096",
            "kubevirt/kubevirt#10759",
            "kubevirt/kubevirt#15568",
            "kubevirt/kubevirt#9998",
            "harvester/harvester#3976",
        ),
    ),
    Scenario(
        id="leftover",
        kind="F3",
        says="An abort leaves files behind, which may be in the way of the next attempt.",
        tells="An error was reported, and there are files that were not there before.",
        use_case="group-snapshot",
        faults=("eio", "enospc"),
        oracle=oracles.leftover,
        reports=threads(
            "twilligon/backup-vm#17",
            "OpenNebula/one#4653",
            "oVirt/vdsm#400",
            "abbbi/virtnbdbackup#147",
            "kubernetes-csi/external-snapshotter#1050",
        ),
    ),
    Scenario(
        id="half-switched",
        kind="F4",
        says="Some devices have moved to their new image, others have not.",
        tells="In a hypervisor that lives, not all devices are old and not all are new.",
        use_case="group-snapshot",
        faults=("eio", "enospc", "manager-dies"),
        oracle=oracles.half_switched,
        reports=threads(
            "OpenNebula/one#5920",
            "apache/cloudstack#14218",
            "aruhier/virt-backup#12",
            "twilligon/backup-vm#23",
            "oVirt/ovirt-engine#1010",
            "autotest/tp-libvirt#5406",
        ),
    ),
    Scenario(
        id="books-disagree",
        kind="F5",
        says="Management's record of which image a device is on differs from what it shows.",
        tells="Whoever starts the machine by what stands on the disk (configuration, notes, a design's own "
        "record) would leave out an image that a device shows. A failure of the books' own storage does not "
        "count: it blames no design.",
        use_case="group-snapshot",
        faults=("eio", "enospc", "reply-lost", "manager-dies"),
        oracle=oracles.books_disagree,
        reports=threads(
            "OpenNebula/one#8040",
            "apache/cloudstack#14030",
            "oVirt/ovirt-engine#403",
            "kubevirt/kubevirt#12864",
        ),
    ),
    Scenario(
        id="skewed-cut",
        kind="F6",
        says="Every image was taken, but not at one instant.",
        tells="The images hold a write of the guest without one that had been acknowledged before it was "
        "submitted.",
        use_case="group-snapshot",
        faults=("guest-runs", "guest-lags"),
        oracle=oracles.skewed_cut,
        reports=threads(
            "jimsalterjrs/sanoid#15",
            "openzfs/zfs#18220",
            "pingcap/tidb#43433",
            "longhorn/website#1435",
            "home-operations/miroir#268",
        ),
    ),
    Scenario(
        id="unknown-outcome",
        kind="F7",
        says="After a failure or a time-out the same is sent again, and it does not end as the first should "
        "have.",
        tells="What was sent again, with nothing broken any more, did not succeed.",
        use_case="retry",
        faults=("reply-lost", "late", "eio"),
        oracle=oracles.unknown_outcome,
        reports=threads(
            "kubernetes-csi/external-snapshotter#134", "ceph/ceph-csi#1883", "oVirt/ovirt-engine#670"
        ),
    ),
    Scenario(
        id="membership",
        kind="F8",
        says="The set of devices changes between start and end.",
        tells="The devices that are there are not all old and not all new, or one of them is held back, or a "
        "reply says what is not so.",
        use_case="membership",
        faults=("unplugged", "added"),
        oracle=oracles.membership,
        reports=threads(
            "ceph/ceph#58074", "kubernetes-csi/external-snapshotter#1183", "LINBIT/linstor-server#418"
        ),
    ),
    Scenario(
        id="engine",
        kind="F9",
        says="The block layer itself: a job that nobody can end, a wait that never does.",
        tells="A core invariant is broken, a command is never answered, or one is refused and a disk stays "
        "mirrored for ever.",
        use_case="migrate-one",
        faults=("eio", "guest-lags"),
        oracle=oracles.engine,
        reports=(),
    ),
)

SCENARIOS: Mapping[str, Scenario] = {scenario.id: scenario for scenario in _IN_ORDER}
"""By name, in the order of the classes."""
