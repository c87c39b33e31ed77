"""What it takes to read many large DICOM files at a small size: peak memory, and the time of both starts.

N files of SIDE × SIDE are made (N names of 8 different ones, 12 bits stored, a window) and read in a process
of its own with an empty cache (first), then in another one (second). Between the two they are read the plain
way, one after the other, by pydicom's pixel_array, its rescale and window, and Pillow's resize, which holds
one frame at a time. cpu_s counts all threads; imports_mib is the peak memory before anything was read.

    python benchmarks/dicom_reading.py --files 5000 --side 1024 --size 64
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.pixels.processing import apply_modality_lut, apply_windowing
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, RLELossless

from synthaug.augment.dicom import read_dicom
from synthaug.augment.reading import ReadOptions


def make(folder: Path, files: int, side: int, compressed: bool) -> None:
    draw = np.random.default_rng(0)
    (folder / "c").mkdir(parents=True)
    for k in range(8):
        small = draw.integers(0, 4000, (side // 16, side // 16)).astype(np.float32)
        smooth = np.asarray(Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC))
        pixels = smooth.clip(0, 4095).astype(np.uint16)
        dataset = Dataset()
        dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, f"2.25.{k + 1}"
        dataset.PatientID = f"P{k}"
        dataset.Rows, dataset.Columns = pixels.shape
        dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
        dataset.PhotometricInterpretation = "MONOCHROME2"
        dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
        dataset.WindowCenter, dataset.WindowWidth = 1000, 3000
        dataset.PixelData = pixels.tobytes()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        if compressed:
            dataset.compress(RLELossless)
        dataset.save_as(folder / "c" / f"{k:06d}.dcm", enforce_file_format=True)
    for k in range(8, files):
        (folder / "c" / f"{k:06d}.dcm").hardlink_to(folder / "c" / f"{k % 8:06d}.dcm")


def plainly(folder: Path, size: int) -> None:
    for path in sorted(folder.rglob("*.dcm")):
        dataset = dcmread(path)
        levels = apply_windowing(apply_modality_lut(dataset.pixel_array, dataset), dataset)
        scaled = (levels - levels.min()) / np.ptp(levels) * 255
        Image.fromarray(scaled.astype(np.float32)).resize((size, size), Image.Resampling.BICUBIC)


def measure(arm: str, folder: Path, size: int) -> dict[str, float]:
    """Run one arm in this process, and say what it took beyond the imports."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, cpu = time.perf_counter(), time.process_time()
    if arm == "plain":
        plainly(folder, size)
    else:
        read_dicom(folder, ReadOptions(size=size))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
        "peak_mib": peak / 1024,
        "imports_mib": before / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--compressed", action="store_true", help="RLE instead of uncompressed")
    parser.add_argument("--arm", choices=["first", "second", "plain"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.arm:
        print(json.dumps(measure(asked.arm, asked.folder, asked.size)))
        return
    with tempfile.TemporaryDirectory() as work:
        make(Path(work) / "in", asked.files, asked.side, asked.compressed)
        for k in range(asked.rounds):
            for arm in ("first", "plain", "second"):
                done = subprocess.run(
                    [
                        sys.executable,
                        __file__,
                        "--arm",
                        arm,
                        "--folder",
                        f"{work}/in",
                        "--size",
                        str(asked.size),
                    ],
                    env={**os.environ, "SYNTHAUG_CACHE": f"{work}/cache{k}"},
                    stdout=subprocess.PIPE,
                    check=True,
                )
                took = json.loads(done.stdout)
                print(f"{arm:8}", "  ".join(f"{name} {value:.1f}" for name, value in took.items()))


if __name__ == "__main__":
    main()
