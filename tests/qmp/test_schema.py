"""JSON arguments become typed ones, or a sentence as QAPI would say it."""

import attrs
import pytest

from blockops.commands.block_jobs import CancelJob
from blockops.commands.profile import Mode
from blockops.commands.reopen import DriveReopen
from blockops.commands.resize import BlockResize
from blockops.qmp.errors import BadMessage
from blockops.qmp.schema import parse
from proposals.drive_migrate import DriveMigrate
from proposals.group_snapshot import GroupSnapshotSync, SnapshotDev

RENAMED = {"new-image-file": "source"}


def test_names_with_dashes_become_fields() -> None:
    given = {"device": "d0", "dest": "/a", "new-source": "/b", "source-format": "raw"}
    assert parse(DriveMigrate, given, {}) == DriveMigrate("d0", "/a", "/b", None, "raw")


def test_lists_and_words_are_typed() -> None:
    given = {"devlist": [{"device": "d0", "snapshot-file": "/s", "mode": "existing"}]}
    expected = GroupSnapshotSync((SnapshotDev("d0", "/s", "qcow2", Mode.EXISTING),))
    assert parse(GroupSnapshotSync, given, {}) == expected


def test_a_truth_value_is_one() -> None:
    assert parse(CancelJob, {"device": "d0", "force": True}, {}) == CancelJob("d0", force=True)


def test_a_name_of_the_patches_is_an_alias() -> None:
    given = {"device": "d0", "new-image-file": "/n"}
    assert parse(DriveReopen, given, RENAMED) == DriveReopen("d0", "/n")


@pytest.mark.parametrize(
    ("arguments", "given", "sentence"),
    [
        (DriveReopen, {"device": "d0"}, "Parameter 'source' is missing"),
        (DriveReopen, {"device": "d0", "source": "/s", "foo": 1}, "Parameter 'foo' is unexpected"),
        (
            DriveReopen,
            {"device": "d0", "source": "/s", "new-image-file": "/n"},
            "'new-image-file' is unexpected",
        ),
        (DriveReopen, {"device": 1, "source": "/s"}, "Invalid parameter type for 'device', expected: string"),
        (DriveReopen, {"device": "d0", "source": None}, "type for 'source', expected: string"),
        (
            DriveReopen,
            {"device": "d0", "source": "/s", "format": None},
            "type for 'format', expected: string",
        ),
        (DriveReopen, {"device": "d0", "source": "/s", "mode": "x"}, "'mode' does not accept value 'x'"),
        (DriveReopen, {"device": "d0", "source": "/s", "mode": ["x"]}, "type for 'mode', expected: string"),
        (BlockResize, {"device": "d0", "size": "1"}, "Invalid parameter type for 'size', expected: integer"),
        (BlockResize, {"device": "d0", "size": True}, "type for 'size', expected: integer"),
        (CancelJob, {"device": "d0", "force": 1}, "type for 'force', expected: boolean"),
        (DriveReopen, [], "QMP input member 'arguments' must be a JSON object"),
        (DriveReopen, {"snapshot_file": "/s"}, "Parameter 'snapshot_file' is unexpected"),
        (GroupSnapshotSync, {"devlist": {}}, "Invalid parameter type for 'devlist', expected: array"),
        (GroupSnapshotSync, {"devlist": [7]}, "Invalid parameter type for 'devlist[0]', expected: object"),
        (
            GroupSnapshotSync,
            {"devlist": [{"device": "d0", "snapshot-file": "/s"}, {"snapshot-file": "/s"}]},
            "Parameter 'devlist[1].device' is missing",
        ),
    ],
)
def test_what_does_not_fit_is_named(arguments: type, given: object, sentence: str) -> None:
    with pytest.raises(BadMessage) as caught:
        parse(arguments, given, RENAMED)
    assert sentence in str(caught.value)


def test_a_parameter_without_a_json_form_is_our_own_mistake() -> None:
    @attrs.frozen
    class Broken:
        number: float

    with pytest.raises(AssertionError):
        parse(Broken, {"number": "1"}, {})
