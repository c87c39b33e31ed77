"""Sending DICOM to an archive: `sending.py` keeps the state, `dicomweb.py` and `pacs.py` are the ways."""
