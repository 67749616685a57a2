"""A second reader of the format, which judges images: every reference is counted against the refcounts.

A stranger to the code that it judges: it shares nothing with the image but the codec.  It counts as
`qemu-img check` does; where it says more, the image is one that QEMU would fail on later.  Bad content
never raises, and costs no more time and memory than the file's real size.
"""

import attrs

from blockops.errors import ImageError, UnsupportedFeature
from blockops.host.api import HostFile
from blockops.qcow2.check.bitmaps import count_bitmaps
from blockops.qcow2.check.guest import GuestTables
from blockops.qcow2.check.ledger import Ledger
from blockops.qcow2.check.report import CheckReport, Enough, Finding, Findings, Verdict
from blockops.qcow2.check.snapshots import count_snapshots
from blockops.qcow2.check.tables import Reader
from blockops.qcow2.features import refuse_reading
from blockops.qcow2.header import Header, read_header

__all__ = ["CheckReport", "Finding", "Verdict", "check"]


def check(file: HostFile) -> CheckReport:
    """Judge the image in *file*, without changing it; raises nothing but the host's `HostError`."""
    try:
        header = read_header(file)
        refuse_reading(header, file.path)
        return _check_tables(file, header)
    except UnsupportedFeature as error:
        return CheckReport(unsupported=error.feature)
    except ImageError as error:
        return CheckReport(corruptions=(Finding(error.structure, error.offset, None, error.problem),))


def _check_tables(file: HostFile, header: Header) -> CheckReport:
    findings = Findings()
    report = CheckReport(header=header, total_clusters=header.geometry.clusters(header.size))
    reader = Reader(file, findings)
    try:
        ledger = Ledger(header, reader, findings)
        guest = GuestTables(header, reader, ledger, findings)
        leaks = _count(header, reader, ledger, guest, findings)
    except Enough:
        return attrs.evolve(report, corruptions=tuple(findings.listed))
    return attrs.evolve(
        report,
        corruptions=tuple(findings.listed),
        leaks=leaks,
        allocated_clusters=guest.allocated,
        image_end_offset=ledger.end(),
    )


def _count(
    header: Header, reader: Reader, ledger: Ledger, guest: GuestTables, findings: Findings
) -> tuple[Finding, ...]:
    """Count every reference in the image; return the clusters that none accounts for."""
    ledger.own("header", 0, header.geometry.cluster_size)
    ledger.own("refcount table", header.refcount_table_offset, header.refcount_table_clusters << ledger.bits)
    guest.add_l1("L1 table", header.l1_offset, header.l1_entries, active=True)
    count_snapshots(header, reader, ledger, guest, findings)
    guest.count_clusters()
    count_bitmaps(header, reader, ledger, findings)
    ledger.count_blocks()
    return ledger.settle()
