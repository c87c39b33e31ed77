"""DICOM: `reader.py` in, `writer.py` out, and what each of them needs."""

from synthaug.augment.dicom.reader import holds_dicom, read_dicom
from synthaug.augment.dicom.writer import write_dicom

__all__ = ["holds_dicom", "read_dicom", "write_dicom"]
