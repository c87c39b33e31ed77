"""HDF5: `file.py` is the layout, in and out; beside it shards, resuming and other tools' files.

The PyTorch reader is `synthaug.augment.hdf5.dataset.HDF5Dataset`, not imported here: PyTorch is slow to load.
"""

from synthaug.augment.hdf5.file import count_hdf5, is_ours, read_hdf5, read_hdf5_attributes, write_hdf5

__all__ = ["count_hdf5", "is_ours", "read_hdf5", "read_hdf5_attributes", "write_hdf5"]
