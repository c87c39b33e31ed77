"""Is this image a copy of a training image, perhaps shifted, mirrored, brightened or noisy?"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from synthaug.augment.errors import DataError
from synthaug.augment.files.cache import kept
from synthaug.augment.images import Indices, LabeledImages, Pixels
from synthaug.augment.transforms import resize, with_channels
from synthaug.evaluation.neighbours import Distances
from synthaug.evaluation.protocol import by_content

Planes = npt.NDArray[np.float32]  # (..., C, H, W) or what is computed of them; 0 is black, 1 white

VERSION = 1  # of the distance: raise it with any change of the numbers below or of how it is measured
SHIFT = 2  # pixels in each direction, and so the border that no comparison looks at
SMALLEST_SIDE = 8  # pixels; the comparison sees four fewer
GAINS = (0.8, 1.25)
END = 0.04  # of the range: so near to black and white, noise and brightness clip
WINDOWS = (1, 2, 3)  # pixels
COMMON = 0.5  # the correlation from which two images have something in common
FAR = 1.0  # the distance of two that have not

NOISE = 0.0205  # the distance of a copy with noise of σ 0.02, and the rounding to grey levels
SMALLEST_THRESHOLD = 0.005  # above what brightness, rounding and clipping do to a copy without noise
FALSE_ALARMS = 0.01  # of held-out images
ENOUGH = 99  # held-out images: with fewer, no distance has so few of them below it
LARGEST = 2_000  # held-out images; more cost time and hardly move the threshold
CANDIDATES = 16  # training images compared in full; planted copies were among the first 8
CHUNK = 4096  # training images whose coarse forms are compared at once


@dataclass(frozen=True, eq=False)
class Nearest:
    """Of each image: how far the nearest training image is, and which it is.

    Attributes:
        distances: (N,) to the nearest training image, as `CopyDetector` measures.
        rows: (N,) that image's row in the training set.
        second: (N,) distances to the second nearest training image.
    """

    distances: Distances
    rows: Indices
    second: Distances


@dataclass(frozen=True, eq=False)
class CopyDetector:
    """Finds near copies of training images.

    **Distance.** The image is laid over a training image in the pose that fits best (mirrored or not,
    shifted by up to two pixels), with the best gain (0.8 to 1.25) and offset. Values within 4 % of black or
    white count as black or white, so what a brighter copy lost there is not held against it. What remains
    is a copy's noise or another image's anatomy. Noise averages out over neighbouring pixels and is alike
    everywhere; anatomy is not. So the largest difference anywhere counts, of single pixels and of 2x2 and
    3x3 pixel means, each as a multiple of what noise does to such a mean (a scan statistic: Glaz, Naus &
    Wallenstein 2001, "Scan Statistics"). The distance is the σ of white noise, as a share of the range,
    whose largest difference is this large in one image of 1,000. Images that correlate below 0.5 are at
    distance 1: a flat image is nobody's copy.

    **Rule.** A near copy lies below the threshold: 0.0205, the noise that a copy may carry (σ 0.02, and
    rounding); or lower, where more than 1 % of held-out real images lie below that, as neighbouring slices of
    a CT series may; but never below 0.005, so that copies which differ in place, side or brightness are found
    even where the held-out images hold copies themselves.

    Attributes:
        train: the images that must not be copied.
        threshold: the distance below which an image is a near copy.
        held_out: nearest training images of the held-out images, in the order of `by_content`.
    """

    train: LabeledImages
    threshold: float
    held_out: Nearest

    @classmethod
    def fit(cls, train: LabeledImages, held_out: LabeledImages) -> "CopyDetector":
        """Set the threshold by held-out real images: of the validation split, at most 2,000 of them.

        Their distances are kept in the cache: the same images are not searched twice.

        Raises:
            DataError: fewer than two training images, no held-out ones, or images under 8 pixels.
        """
        if len(train) < 2 or not len(held_out):
            counts = f"{len(train)} training and {len(held_out)} held-out images"
            raise DataError(f"{counts}: expected at least 2 and 1 to look for copies")
        if min(train.image_shape[1:]) < SMALLEST_SIDE:
            raise DataError(
                f"images of {train.image_shape[1:]} pixels: expected at least 8 to look for copies"
            )
        nothing = np.empty(0)
        unset = cls(train, NOISE, Nearest(nothing, nothing.astype(np.int64), nothing))

        def fill(folder: Path) -> None:
            nearest = unset.search(by_content(held_out, LARGEST))
            np.savez(folder / "nearest.npz", **vars(nearest))

        key = VERSION, train.digest(), held_out.digest()
        with np.load(kept("copies", key, fill) / "nearest.npz") as file:
            nearest = Nearest(file["distances"], file["rows"], file["second"])
        return cls(train, threshold_of(nearest.distances), nearest)

    @property
    def false_alarms(self) -> float:
        """Share of the held-out real images that the rule flags."""
        return float((self.held_out.distances < self.threshold).mean())

    @property
    def note(self) -> str:
        """A warning where recall and few false alarms cannot both be had, or empty."""
        if self.false_alarms > FALSE_ALARMS:
            return (
                f"{self.false_alarms:.1%} of the held-out images are near copies: do the splits share images?"
            )
        if len(self.held_out.distances) < ENOUGH:
            return (
                f"{len(self.held_out.distances)} held-out images are too few to know that false alarms are "
                f"under {FALSE_ALARMS:.0%}, expected {ENOUGH} or more"
            )
        if self.threshold < NOISE:
            return (
                f"held-out images lie so near that copies with noise above {self.threshold:.4f} may be missed"
            )
        return ""

    def near_copies(self, images: LabeledImages) -> npt.NDArray[np.bool_]:
        """(N,) True where an image is a near copy of a training image."""
        return self.search(images).distances < self.threshold

    def search(self, images: LabeledImages) -> Nearest:
        """The nearest training image of each image, each judged by itself; any size, depth and channels."""
        channels, height, width = self.train.image_shape
        if images.image_shape[1:] != (height, width):
            images = resize(images, height)
        images = with_channels(images, channels)
        rows = [self._nearest(_unit(pixels) / self._white) for pixels in images.pixels]
        columns = np.array(rows, np.float64).reshape(-1, 3)
        return Nearest(columns[:, 0], columns[:, 1].astype(np.int64), columns[:, 2])

    def _nearest(self, image: Planes) -> tuple[float, int, float]:
        """(distance, row, second distance) of one image (C, H, W)."""
        poses = _poses(image)
        rows = self._candidates(poses)
        distances = self._distances(poses, _inside(_unit(self.train.pixels[rows]) / self._white))
        first, second = np.argsort(distances, kind="stable")[:2]
        return float(distances[first]), int(rows[first]), float(distances[second])

    def _candidates(self, poses: Planes) -> Indices:
        """Rows of the training images whose coarse form correlates best with the image's, in any pose."""
        coarse = _coarse(poses)
        forms = [self._forms[start : start + CHUNK] for start in range(0, len(self._forms), CHUNK)]
        likeness = np.concatenate([(coarse @ chunk.T).max(axis=0) for chunk in forms])
        k = min(CANDIDATES, len(likeness))
        return np.sort(np.argpartition(-likeness, k - 1)[:k])

    def _distances(self, poses: Planes, others: Planes) -> Distances:
        """(K,) from the best fitting of the poses (P, C, H, W) to each of the others (K, C, H, W)."""
        pose, gain, offset = _fit(poses, others)
        scale = (slice(None), None, None, None)
        fitted = np.clip(gain[scale] * others + offset[scale], END, 1 - END)
        seen = np.clip(poses[pose], END, 1 - END)
        noise = (_largest(seen - fitted) / self._largest_of_noise).astype(np.float64)
        return np.where(_correlation(seen, fitted) < COMMON, FAR, noise)

    @cached_property
    def _white(self) -> float:
        """The brightest training value, as a share of what its type holds: 12 bits may lie in 16."""
        return max(float(self.train.pixels.max()) / np.iinfo(self.train.pixels.dtype).max, 1e-3)

    @cached_property
    def _forms(self) -> Planes:
        """(N, D) coarse forms of the training images."""
        batches = self.train.batches(CHUNK)
        return np.concatenate([_coarse(_inside(_unit(batch.pixels) / self._white)) for batch in batches])

    @cached_property
    def _largest_of_noise(self) -> float:
        """The largest difference in an image of white noise of σ 1, exceeded by one image of 1,000."""
        c, h, w = self.train.image_shape
        draw, shape = np.random.default_rng(0), (20, c, h - 2 * SHIFT, w - 2 * SHIFT)
        largest = [_largest(draw.standard_normal(shape, np.float32)) for _ in range(100)]
        return float(np.quantile(np.concatenate(largest), 0.999))


def _unit(pixels: Pixels) -> Planes:
    return np.asarray(pixels, np.float32) / np.float32(np.iinfo(pixels.dtype).max)


def _inside(planes: Planes) -> Planes:
    return planes[..., SHIFT:-SHIFT, SHIFT:-SHIFT]


def threshold_of(held_out: Distances) -> float:
    """The distance of a near copy, by those of held-out images: at most 1 % of new images lie below it.

    Of n held-out images the k-th has k / (n + 1) of new ones below it on average. Under 99 images even the
    first has more than 1 %.
    """
    k = max(1, int(FALSE_ALARMS * (len(held_out) + 1)))
    return min(max(float(np.sort(held_out)[k - 1]), SMALLEST_THRESHOLD), NOISE)


def _poses(image: Planes) -> Planes:
    """(100, C, H - 4, W - 4): the image in four mirrorings, each at 25 shifts."""
    c, h, w = image.shape[0], image.shape[1] - 2 * SHIFT, image.shape[2] - 2 * SHIFT
    mirrored = np.stack([image, image[:, :, ::-1], image[:, ::-1], image[:, ::-1, ::-1]])
    windows = np.lib.stride_tricks.sliding_window_view(mirrored, (h, w), axis=(2, 3))  # (4, C, 5, 5, h, w)
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(-1, c, h, w)


def _coarse(planes: Planes) -> Planes:
    """(N, C, H, W) -> (N, D): about 10 x 10 block means, of mean 0 and norm 1: no gain, no noise."""
    n, c, height, width = planes.shape
    block = max(1, round(min(height, width) / 10))
    h, w = height // block, width // block
    blocks = planes[..., : h * block, : w * block].reshape(n, c, h, block, w, block)
    means: Planes = blocks.mean(axis=(3, 5)).reshape(n, -1)
    means -= means.mean(axis=1, keepdims=True)
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), np.float32(1e-6))
    return means


def _fit(poses: Planes, others: Planes) -> tuple[Indices, Planes, Planes]:
    """The best pose of each of the others, with its gain and offset (K,), by least squares.

    Pixels near black and white are left out: there a copy may have been clipped.
    """
    here, there = poses.reshape(len(poses), -1), others.reshape(len(others), -1)
    inner = ((here > END) & (here < 1 - END)).astype(np.float32)
    weights = inner / np.maximum(inner.sum(axis=1, keepdims=True), 1)
    weighted = weights * here
    mean_here, mean_there = weighted.sum(axis=1, keepdims=True), weights @ there.T
    covariance = weighted @ there.T - mean_here * mean_there
    variance = np.maximum(weights @ (there * there).T - mean_there**2, np.float32(1e-9))
    gain = np.clip(covariance / variance, *GAINS)
    remaining = gain * gain * variance - 2 * gain * covariance  # and the pose's own variance:
    remaining += (weighted * here).sum(axis=1, keepdims=True) - mean_here**2
    pose, each = remaining.argmin(axis=0), np.arange(len(others))
    return pose, gain[pose, each], (mean_here - gain * mean_there)[pose, each]


def _largest(residuals: Planes) -> Planes:
    """(N, C, H, W) -> (N,): the largest mean of a window, times its side, which makes noise alike in all."""
    largest = np.zeros(len(residuals), np.float32)
    height, width = residuals.shape[2:]
    for side in WINDOWS:
        down, across = height - side + 1, width - side + 1
        rows = np.add.reduce([residuals[:, :, k : k + down] for k in range(side)])
        sums = np.add.reduce([rows[..., k : k + across] for k in range(side)])
        np.maximum(largest, np.abs(sums).max(axis=(1, 2, 3)) / np.float32(side), out=largest)
    return largest


def _correlation(some: Planes, others: Planes) -> Planes:
    """(N,) of each pair; 0 where one of them is flat."""
    a, b = (x.reshape(len(x), -1) - x.mean(axis=(1, 2, 3))[:, None] for x in (some, others))
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    correlation: Planes = np.einsum("nd,nd->n", a, b) / np.maximum(norms, np.float32(1e-6))
    return correlation
