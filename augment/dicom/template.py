"""Many DICOM files of which little differs: the common part is encoded once.

highdicom takes milliseconds to build and encode a data set of seventy attributes, of which seven differ from
image to image. A template is one such file, cut at those seven; a file is the pieces with new values between.
"""

import struct
from dataclasses import fields
from io import BytesIO
from typing import cast

import numpy as np
from highdicom.sc import SCImage
from pydicom import dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement

from synthaug.augment.dicom.image import Changing

GROUP_LENGTH, MEDIA_STORAGE_UID = 0x00020000, 0x00020003
PREAMBLE = 132  # bytes before the File Meta Information (PS3.10 7.1)
LONG = ("OB", "OW")  # VRs here whose length takes four bytes; the others' takes two (PS3.5 7.1.2)


class Template:
    """Makes the file that `captured.save_as` would write, for other values of `Changing`."""

    def __init__(self, captured: SCImage) -> None:
        buffer = BytesIO()
        captured.save_as(buffer, enforce_file_format=True)
        encoded = buffer.getvalue()
        dataset = dcmread(BytesIO(encoded))
        tags = {tag_for_keyword(field.name): field.name for field in fields(Changing)}
        self.elements: list[tuple[str, int, str]] = []  # (keyword, tag, VR) in the order of the file
        cuts: list[tuple[int, int]] = []
        for tag in sorted(tag for tag in tags if tag is not None):
            element = cast(RawDataElement, dataset.get_item(tag))  # not yet looked at, so it knows its place
            vr = str(element.VR)
            self.elements.append((tags[tag], tag, vr))
            cuts.append((element.value_tell - _header_size(vr), element.value_tell + element.length))
        uid = _encoded(MEDIA_STORAGE_UID, "UI", captured.SOPInstanceUID)  # File Meta Information has it too
        start = encoded.index(uid)
        self.meta_length = dataset.file_meta.FileMetaInformationGroupLength - len(uid)
        self.meta_before = encoded[PREAMBLE + 12 : start]
        edges = [start + len(uid), *(edge for cut in cuts for edge in cut), len(encoded)]
        self.pieces = [encoded[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True)]
        self.preamble = encoded[:PREAMBLE]

    def file(self, own: Changing) -> bytes:
        """The whole file, PS3.10 header included."""
        uid = _encoded(MEDIA_STORAGE_UID, "UI", own.SOPInstanceUID)
        group_length = struct.pack("<HH2sHI", 0x0002, 0x0000, b"UL", 4, self.meta_length + len(uid))
        parts = [self.preamble, group_length, self.meta_before, uid, self.pieces[0]]
        for (keyword, tag, vr), piece in zip(self.elements, self.pieces[1:], strict=True):
            parts += [_encoded(tag, vr, getattr(own, keyword)), piece]
        return b"".join(parts)


def _header_size(vr: str) -> int:
    return 12 if vr in LONG else 8


def _encoded(tag: int, vr: str, value: object) -> bytes:
    """One element in Explicit VR Little Endian, of even length (PS3.5 6.2, 7.1.2)."""
    if isinstance(value, np.ndarray):
        raw = value.astype(value.dtype.newbyteorder("<"), copy=False).tobytes()
    else:
        raw = str(value).encode()
    if len(raw) % 2:
        raw += b" " if vr in ("IS", "LO", "LT") else b"\0"
    layout = "<HH2sxxI" if vr in LONG else "<HH2sH"
    return struct.pack(layout, tag >> 16, tag & 0xFFFF, vr.encode(), len(raw)) + raw
