"""How the images of an HDF5 file are compressed: gzip is read everywhere, the rest needs hdf5plugin."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py

from synthaug.augment.errors import DataError, SynthaugError, UsageError

EXTRA = "pip install 'synthaug[hdf5]'"
FILTERS = {32001: "blosc", 32004: "lz4", 32015: "zstd", 32026: "blosc2"}  # as registered with The HDF Group


def compression_options(name: str, itemsize: int) -> dict[str, Any]:
    """Arguments of h5py's `create_dataset` for a compression by name.

    Args:
        itemsize: bytes of a pixel; bytes of one kind are put together where there is more than one.

    Raises:
        UsageError: no such compression, or its plug-in is not installed.
    """
    if name not in COMPRESSIONS:
        raise UsageError(f"--compression {name}: expected one of {', '.join(COMPRESSIONS)}")
    return COMPRESSIONS[name](itemsize)


def require_filters(path: Path, images: h5py.Dataset) -> None:
    """Make the plug-in ready that a file's images need, where they need one.

    Raises:
        DataError: it is not installed, or nobody knows the compression.
    """
    plist = images.id.get_create_plist()
    used = [plist.get_filter(k)[0] for k in range(plist.get_nfilters())]
    for code in used:
        if h5py.h5z.filter_avail(code):
            continue
        name = FILTERS.get(code, f"HDF5's filter {code}")
        _plugin(DataError(f"{path}: its images are compressed with {name}, which needs hdf5plugin: {EXTRA}"))
        if not h5py.h5z.filter_avail(code):
            raise DataError(f"{path}: its images are compressed with {name}, which is unknown: expected gzip")


def _plugin(otherwise: SynthaugError) -> ModuleType:
    """The plug-ins, registered with HDF5 by their import."""
    try:
        import hdf5plugin
    except ImportError:
        raise otherwise from None
    module: ModuleType = hdf5plugin
    return module


def _gzip(itemsize: int) -> dict[str, Any]:
    return {"compression": "gzip", "compression_opts": 1, "shuffle": itemsize > 1}


def _zstd(itemsize: int) -> dict[str, Any]:
    plugin = _plugin(UsageError(f"--compression zstd needs hdf5plugin: {EXTRA}, or leave it at gzip"))
    return {**plugin.Zstd(clevel=3), "shuffle": itemsize > 1}


def _blosc2(itemsize: int) -> dict[str, Any]:
    plugin = _plugin(UsageError(f"--compression blosc2 needs hdf5plugin: {EXTRA}, or leave it at gzip"))
    # it shuffles bits by itself: of the settings tried, the one nearest to gzip's size (docs/results)
    return dict(plugin.Blosc2(cname="zstd", clevel=1, filters=plugin.Blosc2.BITSHUFFLE))


COMPRESSIONS: dict[str, Callable[[int], dict[str, Any]]] = {
    "gzip": _gzip,
    "zstd": _zstd,
    "blosc2": _blosc2,
    "none": lambda itemsize: {},
}
