"""The built-in data set: schematic frontal chest radiographs, drawn from anatomy, with and without findings.

Each part of the chest adds to (or, where there is air, takes from) the X-ray attenuation along the beam; a
detector then blurs, counts photons and windows the sum. So an opacity in front of a rib brightens the rib,
and a normal patient who is large or badly exposed can look as white as a sick one.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from synthaug.augment.errors import UsageError
from synthaug.augment.images import LabeledImages

CLASS_NAMES = ("normal", "abnormal")
FINDINGS = ("opacity", "nodules", "effusion", "enlarged heart")
SMALLEST_SIZE = 16
SUPERSAMPLING = 2  # the detector below averages the drawing, so that thin edges are smooth at 28 pixels

Map = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Chest:
    """Where each pixel lies in one patient, (S, S) each; 1 is half an image.

    Attributes:
        x: from the midline, negative at the image's left, which is the patient's right.
        y: from mid-thorax, negative above.
        m: distance from the midline, |x|: what is paired is drawn once.
        left: 1 on the patient's left side (the image's right), else 0.
        wall: the m of the rib cage's inner side, where the lung ends.
        floor: the y of the diaphragm.
    """

    x: Map
    y: Map
    m: Map
    left: Map
    wall: Map
    floor: Map


def phantom(n_per_class: Mapping[str, int] | Sequence[int], size: int = 64, seed: int = 0) -> LabeledImages:
    """Schematic frontal chest radiographs, as many of each class as asked for.

    An image depends on (seed, class, its number within the class, size) only, so asking for more keeps the
    first ones; another size shows the same patients.

    Args:
        n_per_class: images per class, by name (a class left out has none) or in the order of `CLASS_NAMES`.
        size: height and width in pixels, at least 16.
        seed: which population, at least 0.

    Returns:
        pixels (N, 1, size, size) uint8, all normal ones first; every image is a patient (group) of its own.

    Raises:
        UsageError: an unknown class name, a count below 0, a size below 16, a seed below 0.
    """
    counts = _counts(n_per_class)
    if size < SMALLEST_SIZE:
        raise UsageError(f"phantom size {size}: expected at least {SMALLEST_SIZE}, choose a larger size")
    if seed < 0:
        raise UsageError(f"phantom seed {seed}: expected 0 or more, choose another seed")
    who = [(label, index) for label, count in enumerate(counts) for index in range(count)]
    pixels = np.empty((len(who), 1, size, size), np.uint8)
    for row, (label, index) in enumerate(who):
        pixels[row, 0] = _radiograph(np.random.default_rng([seed, label, index]), size, abnormal=label == 1)
    return LabeledImages(
        pixels=pixels,
        labels=np.array([label for label, _ in who], np.int64),
        class_names=CLASS_NAMES,
        groups=np.array([f"phantom-{seed}-{label}-{index}" for label, index in who], np.str_),
    )


def _counts(n_per_class: Mapping[str, int] | Sequence[int]) -> list[int]:
    """One count per class, checked."""
    if isinstance(n_per_class, Mapping):
        unknown = sorted(set(n_per_class) - set(CLASS_NAMES))
        if unknown:
            raise UsageError(f"phantom class {unknown[0]!r}: expected one of {CLASS_NAMES}, use these names")
        counts = [n_per_class.get(name, 0) for name in CLASS_NAMES]
    else:
        counts = list(n_per_class)
    if len(counts) != len(CLASS_NAMES):
        raise UsageError(f"{len(counts)} counts: expected one for each of {CLASS_NAMES}, give both")
    for name, count in zip(CLASS_NAMES, counts, strict=True):
        if count < 0 or count != int(count):
            raise UsageError(f"{count} {name} images: expected 0 or more, ask for a whole number")
    return [int(count) for count in counts]


def _radiograph(rng: np.random.Generator, size: int, abnormal: bool) -> npt.NDArray[np.uint8]:
    """One patient, (size, size): what the beam meets, added up, then the detector."""
    severity = _severities(rng) if abnormal else {}
    chest = _patient(rng, size * SUPERSAMPLING)
    body, belly = _body(rng, chest), _edge(chest.y - chest.floor - 0.05, 0.3)
    middle, heart = _mediastinum(rng, chest), _heart(rng, chest, severity.get("enlarged heart", 0.0))
    air = _lungs(chest) * (1 - 0.9 * np.maximum(middle, heart))
    if "effusion" in severity:
        air *= 1 - _effusion(rng, chest, severity["effusion"])
    marks = _vessels(rng, chest)
    if "opacity" in severity:
        marks += _opacity(rng, chest, severity["opacity"])
    if "nodules" in severity:
        marks += _nodules(rng, chest, severity["nodules"])
    beam = body * (0.55 + 0.95 * (1 - air) + 0.15 * heart + 0.1 * middle + 0.25 * belly) + air * marks
    beam += _ribs(rng, chest) + _clavicles(rng, chest) + _spine(rng, chest)
    beam += body * _breasts(rng, chest) - _trachea(rng, chest) - _stomach_bubble(rng, chest)
    return _detector(rng, beam, size)


def _severities(rng: np.random.Generator) -> dict[str, float]:
    """One or two findings, each from 0 (invisible) to 1 (obvious), short of both ends."""
    chosen = rng.permutation(len(FINDINGS))[: 1 + int(rng.random() < 0.3)]
    return {FINDINGS[i]: float(rng.uniform(0.05, 0.9)) for i in chosen}


def _edge(inside: Map, softness: float) -> Map:
    """0 to 1 across a border `softness` wide, from the signed distance `inside`."""
    step: Map = np.clip(inside * (1 / softness) + 0.5, 0, 1)
    return step * step * (3 - 2 * step)


def _bell(distance: Map) -> Map:
    """1 at a distance of 0, falling smoothly to 0 at about 3: a cheap Gaussian."""
    fall = 1 / (1 + 0.25 * distance * distance)
    return fall * fall * fall


def _patient(rng: np.random.Generator, pixels: int) -> Chest:
    """How the patient stands before the detector: turned, shifted, near or far, breathed in."""
    angle, zoom = rng.normal(0, 0.035), rng.normal(1.0, 0.04)
    stretch, shift_x, shift_y = rng.normal(1, 0.04), rng.normal(0, 0.035), rng.normal(0, 0.035)
    axis = (np.arange(pixels, dtype=np.float32) + 0.5) * (2 / pixels) - 1
    across, down = axis[None, :] / zoom / stretch - shift_x, axis[:, None] / zoom - shift_y
    x = math.cos(angle) * across + math.sin(angle) * down
    y = math.cos(angle) * down - math.sin(angle) * across
    m, left = np.abs(x), (x > 0).astype(np.float32)  # float32 throughout: half the time of float64
    breath, tilt = rng.normal(0, 0.05), rng.normal(0.07, 0.02)  # the liver holds the right dome higher
    arch, sulcus = rng.uniform(0.15, 0.24), np.clip(m - 0.5, 0, 1)
    floor = 0.74 + breath + tilt * (left - 1) - arch * (1 - ((m - 0.34) / 0.44) ** 2) + sulcus * sulcus
    up = np.clip((y - 0.80) / 1.62, -1, 0)
    wall = 0.27 + (0.49 + 0.3 * breath) * np.sqrt(1 - up * up)
    return Chest(x, y, m, left, wall, floor)


def _body(rng: np.random.Generator, chest: Chest) -> Map:
    """Soft tissue: neck, sloping shoulders, trunk; thinner towards its outline."""
    slope, build = rng.uniform(0.25, 0.4), rng.normal(0.99, 0.04)
    shoulder = _edge(chest.y + 0.97 - slope * chest.m * chest.m, 0.1)
    trunk = build + 0.20 * np.clip(-chest.y - 0.3, 0, 1) + 0.03 * chest.y
    outline: Map = np.maximum(shoulder * _edge(trunk - chest.m, 0.06), 0.8 * _edge(0.25 - chest.m, 0.08))
    depth: Map = np.sqrt(np.clip(1 - 0.75 * (chest.m / trunk) ** 2, 0.02, 1))
    return rng.normal(1, 0.05) * outline * depth


def _lungs(chest: Chest) -> Map:
    """Air, 0 to 1: between mediastinum, rib cage and diaphragm, with rounded apices."""
    apices = _edge(chest.y + 0.80 - 2.2 * (chest.m - 0.3) ** 2, 0.12)
    sides = _edge(chest.m - 0.09, 0.06) * _edge(chest.wall - chest.m, 0.07)
    return apices * sides * _edge(chest.floor - chest.y, 0.05)


def _mediastinum(rng: np.random.Generator, chest: Chest) -> Map:
    """The bright middle column, 0 to 1, with the aortic knob on the patient's left."""
    flare = 0.06 * chest.y * chest.y + 0.08 * _edge(chest.y + 0.05, 0.4)  # great vessels above, heart below
    column = _edge(rng.normal(0.135, 0.015) + flare - chest.m, 0.10)
    knob = np.hypot((chest.x - rng.normal(0.10, 0.015)) / 0.12, (chest.y + 0.24) / 0.16)
    return np.maximum(column, _edge(1 - knob, 0.5))


def _heart(rng: np.random.Generator, chest: Chest, enlargement: float) -> Map:
    """The heart's shadow, 0 to 1: a tilted oval, apex to the patient's left, and the right atrium."""
    long = rng.normal(0.40, 0.025) * (1 + 0.40 * enlargement)
    short, tilt = long * rng.normal(0.66, 0.03), rng.normal(0.55, 0.08)
    x, y = chest.x - 0.14 - 0.08 * enlargement, chest.y - float(chest.floor.min()) + 0.18 + 0.04 * enlargement
    along = math.cos(tilt) * x + math.sin(tilt) * y
    across = math.cos(tilt) * y - math.sin(tilt) * x
    ventricle = _edge(1 - np.hypot(along / long, across / short), 0.2)
    atrium = _edge(1 - np.hypot((chest.x + 0.03) / (0.55 * long), (y + 0.05) / (0.75 * long)), 0.25)
    return np.maximum(ventricle, atrium)


def _vessels(rng: np.random.Generator, chest: Chest) -> Map:
    """Hila and the vessels that leave them, each forking twice: the angle around the hilum, folded."""
    x, y = chest.m - 0.17, chest.y + 0.02 - 0.05 * (1 - chest.left)
    radius = np.hypot(x, y)
    angle = np.arctan2(y, x) + radius * (rng.uniform(-0.4, 0.4) + rng.uniform(-0.4, 0.4) * chest.left)
    spread = 2 * math.pi / 7
    turn = angle / spread + rng.random() + rng.random() * chest.left
    aside = np.abs(turn - np.rint(turn)) * spread  # from the nearest of seven trunks
    aside = np.abs(aside - np.clip(0.7 * (radius - 0.1), 0, 0.25))  # which part after 0.1
    aside = np.abs(aside - np.clip(0.5 * (radius - 0.3), 0, 0.12))  # and once more after 0.3
    branches: Map = _bell(aside * radius / np.clip(0.026 - 0.03 * radius, 0.008, 1))
    branches *= np.clip(1 - 1.3 * radius, 0, 1)
    return rng.uniform(0.15, 0.35) * branches + rng.uniform(0.3, 0.5) * _bell(np.hypot(x / 0.05, y / 0.09))


def _ribs(rng: np.random.Generator, chest: Chest) -> Map:
    """Posterior ribs, arched and falling outwards, and the fainter front ends that fall inwards."""
    spacing, strength = rng.normal(0.165, 0.008), rng.uniform(0.10, 0.2)
    m = chest.m / chest.wall
    back = (chest.y - 0.42 * m * m * m + 0.22 * m) / spacing + rng.random()
    front = (chest.y + 0.40 * m - 0.10) / spacing + rng.random()
    cage = _edge(0.05 + chest.wall - chest.m, 0.06) * _edge(chest.m - 0.08, 0.08) * _edge(chest.y + 0.85, 0.1)
    below = _edge(chest.floor + 0.3 - chest.y, 0.4)
    bands = _edge(0.24 - np.abs(back - np.rint(back)), 0.16)
    ends = _edge(0.24 - np.abs(front - np.rint(front)), 0.2) * _edge(m - 0.45, 0.4)
    bands += 0.55 * ends + 0.6 * _bell((chest.wall + 0.02 - chest.m) / 0.018)  # and seen edge-on at the wall
    return strength * cage * below * bands


def _clavicles(rng: np.random.Generator, chest: Chest) -> Map:
    """Two slender S-shaped bones from the breastbone up to the shoulders."""
    m = chest.m - 0.08
    height = rng.normal(-0.47, 0.03) - rng.normal(0.34, 0.06) * m - 0.035 * np.sin(7 * m)
    shaft = _edge(rng.uniform(0.035, 0.045) - np.abs(chest.y - height), 0.03)
    return rng.uniform(0.22, 0.36) * shaft * _edge(m, 0.08) * _edge(0.74 - m, 0.1)


def _spine(rng: np.random.Generator, chest: Chest) -> Map:
    """Vertebral bodies, with the darker discs between them."""
    level = chest.y / 0.15 + rng.random()
    discs = _edge(np.abs(level - np.rint(level)) - 0.36, 0.12)
    return rng.uniform(0.08, 0.2) * _edge(0.095 - chest.m, 0.05) * (1 - 0.4 * discs)


def _trachea(rng: np.random.Generator, chest: Chest) -> Map:
    """The windpipe's air, down to where it forks into the main bronchi."""
    lean, carina = rng.normal(-0.01, 0.012), rng.normal(-0.24, 0.03)
    fork: Map = np.abs(np.abs(chest.x - lean) - 1.1 * np.clip(chest.y - carina, 0, 1))
    return rng.uniform(0.2, 0.35) * _edge(0.042 - fork, 0.035) * _edge(carina + 0.13 - chest.y, 0.15)


def _breasts(rng: np.random.Generator, chest: Chest) -> Map:
    """Soft tissue in front of the lower lungs, in about half of the patients: a haze that is no finding."""
    amount = min(max(rng.normal(0, 0.2), 0.0), 0.4)
    drop = np.hypot((chest.m - 0.48) / 0.42, (chest.y - rng.normal(0.36, 0.06)) / 0.5)
    return amount * _edge(1 - drop, 0.9)


def _stomach_bubble(rng: np.random.Generator, chest: Chest) -> Map:
    """Gas under the left dome, more in some patients than in others."""
    across, down = (chest.m - 0.36) / rng.uniform(0.1, 0.2), (chest.y - chest.floor - 0.12) / 0.07
    bubble = _edge(1 - np.hypot(across, down), 0.6)
    return rng.uniform(0, 0.4) * bubble * chest.left


def _spot(rng: np.random.Generator, chest: Chest) -> tuple[Map, Map]:
    """Offsets (across, down) from a random place in one lung, where the heart does not hide it."""
    left = rng.random() < 0.5
    y = rng.uniform(-0.5, 0.15 if left else 0.4)
    x = 0.32 + 0.28 * rng.random() * (0.7 + 0.6 * y)
    return chest.x - (x if left else -x), chest.y - y


def _opacity(rng: np.random.Generator, chest: Chest, severity: float) -> Map:
    """Hazy consolidation: a patchy cloud without a border."""
    x, y = _spot(rng, chest)
    reach = 0.7 + 0.5 * severity
    cloud = _bell(np.hypot(x / (reach * rng.uniform(0.12, 0.28)), y / (reach * rng.uniform(0.12, 0.28))))
    patches: Map = ndimage.zoom(rng.normal(1, 0.5, (8, 8)).astype(np.float32), len(x) / 8, order=1)
    return (0.15 + 0.6 * severity) * cloud * np.clip(patches, 0, 2)


def _nodules(rng: np.random.Generator, chest: Chest, severity: float) -> Map:
    """One to three round, well-bordered shadows."""
    shadows = np.zeros_like(chest.x)
    for _ in range(rng.integers(1, 4)):
        x, y = _spot(rng, chest)
        radius = rng.uniform(0.035, 0.06) * (1 + 0.7 * severity)
        shadows += (0.3 + 0.4 * severity) * _edge(radius - np.hypot(x, y), 0.05)
    return shadows


def _effusion(rng: np.random.Generator, chest: Chest, severity: float) -> Map:
    """Fluid on one side, 0 to 1: it blunts the costophrenic angle and climbs the wall as a meniscus."""
    side = chest.left if rng.random() < 0.5 else 1 - chest.left
    climb: Map = np.clip((chest.m - 0.25) / (chest.wall - 0.25), 0, 1.2)
    return side * _edge(chest.y - 0.62 + 0.55 * severity + (0.06 + 0.2 * severity) * climb**3, 0.08)


def _detector(rng: np.random.Generator, beam: Map, size: int) -> npt.NDArray[np.uint8]:
    """Blur, photon noise and the exposure's window: (S, S) attenuation to (size, size) grey, bone white."""
    sharp = ndimage.gaussian_filter(beam, rng.uniform(0.004, 0.010) * len(beam), truncate=2.5)
    seen = sharp.reshape(size, SUPERSAMPLING, size, SUPERSAMPLING).mean(axis=(1, 3))
    # Fewer photons pass dense parts, so these are noisier; a larger pixel collects more and is quieter.
    grain = rng.uniform(0.008, 0.022) * (size / 64) ** 0.5
    seen += grain * np.exp(0.5 * seen) * rng.standard_normal(seen.shape, np.float32)
    black, white = rng.normal(0.35, 0.06), rng.normal(1.75, 0.12)
    grey: Map = np.clip((seen - black) / (white - black), 0, 2) ** rng.normal(1.0, 0.12)
    grey /= (1 + grey**4) ** 0.25  # the shoulder of the curve: dense parts keep some contrast
    return (255 * grey + 0.5).astype(np.uint8)
