"""The header: every field is checked against the format and the file, features are refused by name."""

import struct
from collections.abc import Callable

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockops.errors import BlockError, ImageError, InvalidRequest, UnsupportedFeature
from blockops.qcow2.create import create
from blockops.qcow2.features import refuse_reading, refuse_writing
from blockops.qcow2.geometry import geometry
from blockops.qcow2.header import (
    FEATURE_NAMES,
    Extension,
    Header,
    backing_format_extension,
    encode,
    encode_fields,
    read_header,
)
from blockops.qcow2.image import Qcow2Image
from blockops.units import HostOffset
from tests.qcow2.files import BytesFile


def image_file(
    *, version: int = 3, size: int = 1 << 20, cluster_size: int = 512, name: str | None = None
) -> BytesFile:
    file = BytesFile()
    create(file, size=size, cluster_size=cluster_size, version=version, backing_file=name)
    return file


def patched(offset: int, form: str, value: int) -> BytesFile:
    file = image_file(name="base.raw")
    struct.pack_into(form, file.content, offset, value)
    return file


def refusal(file: BytesFile, expected: type[BlockError]) -> str:
    """Return why the image cannot be opened and read, or nothing."""
    try:
        image = Qcow2Image.open(file, writable=True)
        image.read(0, min(image.size, 4096))
    except expected as error:
        return error.message
    return ""


@st.composite
def headers(draw: st.DrawFn) -> Header:
    version = draw(st.sampled_from([2, 3]))
    shape = geometry(draw(st.integers(9, 21)), draw(st.integers(0, 6)) if version == 3 else 4, version)
    size = draw(st.integers(0, 1 << 20))
    name = draw(st.none() | st.text(min_size=1, max_size=60))
    kinds = st.integers(1, (1 << 32) - 1)
    unknown = draw(st.lists(st.builds(Extension, kinds, st.binary(max_size=20)), max_size=3))
    return Header(
        geometry=shape,
        size=size,
        l1_offset=HostOffset(shape.cluster_size),
        l1_entries=shape.l1_entries(size),
        refcount_table_offset=HostOffset(2 * shape.cluster_size),
        refcount_table_clusters=1,
        compatible=draw(st.integers(0, 3)) if version == 3 else 0,
        autoclear=draw(st.integers(0, 3)) if version == 3 else 0,
        additional=draw(st.sampled_from([b"", bytes(8), bytes(7) + b"\x07"])) if version == 3 else b"",
        extensions=tuple(unknown),
        backing_file=name,
    )


@given(headers())
def test_what_is_encoded_decodes_to_the_same_header_unknown_parts_included(header: Header) -> None:
    try:
        data = encode(header)
    except InvalidRequest:
        assert header.geometry.cluster_size < 1024
        return
    needed = max(3, header.geometry.clusters(header.l1_entries * 8) + 1) * header.geometry.cluster_size
    decoded = read_header(BytesFile(content=bytearray(data.ljust(needed, b"\0"))))
    assert attrs.evolve(decoded, backing_offset=0) == header
    assert data.startswith(encode_fields(decoded))


@pytest.mark.parametrize(
    ("field", "offset", "form", "value"),
    [
        ("backing file name", 8, ">Q", 513),
        ("backing file name", 8, ">Q", 1 << 63),
        ("backing file name", 8, ">Q", 4),
        ("backing file name", 16, ">I", 1024),
        ("backing file name", 16, ">I", 0),
        ("cluster_bits", 20, ">I", 8),
        ("cluster_bits", 20, ">I", 22),
        ("size", 24, ">Q", 1 << 63),
        ("size of the L1 table", 24, ">Q", 1 << 40),
        ("size of the L1 table", 36, ">I", 1),
        ("size of the L1 table", 36, ">I", 0xFFFFFFFF),
        ("offset of the L1 table", 40, ">Q", 513),
        ("offset of the L1 table", 40, ">Q", 0),
        ("size of the L1 table", 40, ">Q", 1 << 62),
        ("offset of the refcount table", 48, ">Q", 0),
        ("offset of the refcount table", 48, ">Q", 7),
        ("clusters of the refcount table", 48, ">Q", 1 << 62),
        ("clusters of the refcount table", 56, ">I", 0),
        ("clusters of the refcount table", 56, ">I", 0xFFFFFFFF),
        ("number of snapshots", 60, ">I", 0xFFFFFFFF),
        ("refcount_order", 96, ">I", 7),
        ("header_length", 100, ">I", 103),
        ("header_length", 100, ">I", 105),
        ("header_length", 100, ">I", 1 << 31),
        ("length of a header extension", 108, ">I", 4000),
    ],
)
def test_a_field_that_cannot_be_is_named_with_its_offset_and_value(
    field: str, offset: int, form: str, value: int
) -> None:
    file = patched(offset, form, value)
    if "snapshots" in field:
        struct.pack_into(">Q", file.content, 64, 512)
    if "extension" in field:
        struct.pack_into(">I", file.content, 104, 1)
    with pytest.raises(ImageError, match=field) as error:
        read_header(file)
    assert error.value.structure == "header"
    assert error.value.offset is not None


@given(cut=st.integers(0, 4000), version=st.sampled_from([2, 3]), cluster_size=st.sampled_from([512, 65536]))
def test_an_image_cut_anywhere_opens_or_is_refused_in_one_sentence(
    cut: int, version: int, cluster_size: int
) -> None:
    file = image_file(version=version, cluster_size=cluster_size, name="base.raw")
    del file.content[cut * len(file.content) // 4000 :]
    assert "\n" not in refusal(file, ImageError)


@given(noise=st.lists(st.tuples(st.integers(0, 111), st.integers(0, 255)), max_size=6))
def test_any_bytes_in_the_header_give_an_image_or_a_refusal(noise: list[tuple[int, int]]) -> None:
    file = image_file(name="base.raw")
    for place, byte in noise:
        file.content[place] = byte
    assert "\n" not in refusal(file, BlockError)


@pytest.mark.parametrize("content", [b"", b"QFI", b"QFI\xfb", b"QFI\xfb\0\0\0\3", b"not an image" * 100])
def test_what_is_no_qcow2_image_is_refused(content: bytes) -> None:
    with pytest.raises(ImageError):
        read_header(BytesFile(content=bytearray(content)))


def test_another_version_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedFeature, match="version 4"):
        read_header(patched(4, ">I", 4))


def with_features(incompatible: int, *names: Extension) -> Header:
    header = read_header(image_file())
    return attrs.evolve(header, incompatible=incompatible, extensions=names)


def test_an_unknown_feature_is_named_from_the_images_own_table() -> None:
    table = bytes((0, 60)) + b"time travel".ljust(46, b"\0") + bytes((1, 61)) + b"harmless".ljust(46, b"\0")
    header = with_features(1 << 60 | 1 << 61, Extension(FEATURE_NAMES, table))
    with pytest.raises(UnsupportedFeature, match="time travel, incompatible feature 61"):
        refuse_reading(header, "i")


@pytest.mark.parametrize(
    ("refuse", "changes", "name"),
    [
        (refuse_reading, {"crypt_method": 1}, "AES"),
        (refuse_reading, {"crypt_method": 2}, "LUKS"),
        (refuse_reading, {"incompatible": 8, "additional": b"\2" + bytes(7)}, "compression type 2"),
        (refuse_writing, {"incompatible": 2}, "corrupt"),
    ],
)
def test_a_feature_is_refused_by_name(
    refuse: Callable[[Header, str], None], changes: dict[str, object], name: str
) -> None:
    header: Header = attrs.evolve(with_features(0), **changes)  # type: ignore[arg-type]
    with pytest.raises(UnsupportedFeature, match=name):
        refuse(header, "i")


def test_an_image_marked_corrupt_can_be_read_and_no_more() -> None:
    file = patched(72, ">Q", 2)
    assert Qcow2Image.open(file, writable=False).read(0, 512) == bytes(512)
    with pytest.raises(UnsupportedFeature):
        Qcow2Image.open(file, writable=True)


def test_the_backing_format_is_an_extension() -> None:
    file = image_file(name="base.raw")
    assert read_header(file).backing_format is None
    header = attrs.evolve(read_header(file), extensions=(backing_format_extension("raw"),))
    file.content[:512] = encode(header).ljust(512, b"\0")
    assert read_header(file).backing_format == "raw"
    assert read_header(file).backing_file == "base.raw"


@pytest.mark.parametrize("length", [1023, 1024])
def test_a_backing_name_has_at_most_1023_bytes(length: int) -> None:
    if length == 1023:
        assert read_header(image_file(cluster_size=4096, name="n" * length)).backing_file == "n" * length
    else:
        with pytest.raises(InvalidRequest, match="too long"):
            image_file(cluster_size=4096, name="n" * length)


def test_a_name_that_the_first_cluster_has_no_room_for_is_refused_before_anything_is_written() -> None:
    file = BytesFile()
    with pytest.raises(InvalidRequest, match="too long"):
        create(file, size=512, cluster_size=512, backing_file="n" * 500)
    assert file.changes == []
