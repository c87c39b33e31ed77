"""Detectors of what is wrong with the images as a set: too few different ones, or not the real distribution.

As in `image_faults`, a detector takes (reference, held_out, synthetic), returns the evidence by part, and
does not lean on the labels.
"""

from collections.abc import Callable

import numpy as np

from synthaug.augment.images import Indices
from synthaug.evaluation.diagnosis.image_faults import Found, by_class, lowest
from synthaug.evaluation.diagnosis.image_statistics import Array, MeasuredSet, as_grey_levels, texture
from synthaug.evaluation.neighbours import distance_blocks, nearest

Points = Callable[[MeasuredSet], Array]
LOOKED_AT = 1000  # images of each set where every image is held against every other

COLLAPSED = 0.25  # of the real images' spread
TWIN = 0.2  # of the usual distance to the most alike other image: nearer is the same image
TWINS = 0.2  # share of images with a twin, above the held-out images'
EXPLAINED = 0.25  # of the squared distance to real texture: Gaussian images this much nearer explain it
BEYOND_FLOOR = 3  # times the held-out images' own squared distance
BLURRED = 0.5  # of the fine detail in the real image most like it
APART = 0.9  # share of images, on both sides, that lie nearest to one of their own side; 0.5 if alike
FARTHER = 1.1  # times as far from the nearest training image as held-out images, together with the share
FAR_OFF = 1.5  # times as far: enough by itself
ERRORS = 3  # standard errors of a median that it must lie beyond its threshold
SMALLEST_APART = 30  # images on each side, to tell a share of 0.9 from 0.5


def mean_image(reference: MeasuredSet, held_out: MeasuredSet, synthetic: MeasuredSet) -> Found:
    """Every image is the mean of a class, or of all of them.

    A real image is as far from its class's mean as the class is wide. Within a quarter of that lies only an
    average of many images: a single one keeps what averaging takes away.
    """
    sketch = reference.statistics.sketch
    rows_of = [*reference.classes().values(), np.arange(len(reference))]
    means = np.stack([sketch[rows].mean(axis=0) for rows in rows_of])
    pairs = zip(rows_of, means, strict=True)
    width = np.array([np.median(_root_mean_square(sketch[rows] - mean)) for rows, mean in pairs])

    def off(images: MeasuredSet) -> Array:
        """Distance to the nearest mean, in widths of its class."""
        distances, which = nearest(images.statistics.sketch, means)
        return np.asarray(distances[:, 0] / sketch.shape[1] ** 0.5 / (width[which[:, 0]] + 1e-6))

    here, usual = off(synthetic), float(lowest(off(held_out), held_out))

    def judge(rows: Indices) -> str | None:
        middle = float(np.median(here[rows]))
        if middle >= COLLAPSED * usual:
            return None
        return (
            f"images are {middle:.2f} of a class's width away from the mean real image "
            f"(held-out real images: {usual:.2f} or more)"
        )

    return by_class(synthetic, judge)


def one_image(reference: MeasuredSet, held_out: MeasuredSet, synthetic: MeasuredSet) -> Found:
    """All images of a class are one image, whatever little noise is added.

    Real images differ from the middle of their class by its width; under a quarter of the tightest class's,
    nothing but copies of one image remains.
    """

    def apart(images: MeasuredSet, rows: Indices) -> float:
        pictures = images.statistics.sketch[_spread_out(rows)]
        return float(np.median(_root_mean_square(pictures - np.median(pictures, axis=0))))

    usual = min(apart(held_out, rows) for rows in held_out.classes().values())

    def judge(rows: Indices) -> str | None:
        classes = [rows[synthetic.labels[rows] == label] for label in np.unique(synthetic.labels[rows])]
        here = max((apart(synthetic, own) for own in classes if len(own) > 1), default=np.inf)
        if here >= COLLAPSED * usual:
            return None
        return (
            f"images of a class differ from their middle by {here:.1f} grey levels "
            f"(held-out real images: {usual:.1f} or more); {_distinct(synthetic, rows)}"
        )

    return by_class(synthetic, judge)


def duplicated(reference: MeasuredSet, held_out: MeasuredSet, synthetic: MeasuredSet) -> Found:
    """Few distinct images, repeated: many have a twin within the set.

    A twin is nearer than a fifth of the usual distance between an image and the one most like it, in the
    class where that is smallest. That distance falls with the number of images n as n^(-1/d) in d dimensions,
    too slowly for a large set to grow twins. Real sets have some: as many as in the class that has most are
    allowed for.
    """
    limit = _twin_limit(held_out)
    fresh, own = _to_other(held_out), _to_other(synthetic)
    usual = max(float((fresh[rows] <= limit).mean()) for rows in held_out.classes().values())

    def judge(rows: Indices) -> str | None:
        share = float((own[rows] <= limit).mean())
        if share < usual + TWINS:
            return None
        return (
            f"{share:.0%} of the images have a twin among the others (held-out real images: {usual:.0%} or "
            f"less); {_distinct(synthetic, rows)}"
        )

    return by_class(synthetic, judge)


def without_twins(held_out: MeasuredSet, synthetic: MeasuredSet) -> MeasuredSet:
    """The images that have no twin before them."""
    limit, kept = _twin_limit(held_out), np.ones(len(synthetic), dtype=bool)
    for start, block in distance_blocks(synthetic.statistics.sketch, synthetic.statistics.sketch):
        kept[start : start + len(block)] = ~np.tril(block <= limit**2, start - 1).any(axis=1)
    return synthetic.take(np.flatnonzero(kept))


def gaussian(reference: MeasuredSet, held_out: MeasuredSet, synthetic: MeasuredSet) -> Found:
    """Pixels drawn from a normal distribution with the real images' means and covariances.

    The suspicion is tried out: such images are drawn from the training images, class by class, and the
    synthetic ones must be twice as near to them as to real ones in texture, whose kurtosis and skewness a
    normal distribution cannot have. Nothing is said where the drawn images look real.
    """
    drawn = _drawn(reference, np.bincount(synthetic.labels, minlength=len(reference.class_names)))
    real = reference.statistics.texture
    scale = real.std(axis=0) + 1e-3
    here, there = (_apart(synthetic.statistics.texture, other, scale) for other in (drawn, real))
    floor, whole = (_apart(other, real, scale) for other in (held_out.statistics.texture, drawn))
    if min(whole, there) < BEYOND_FLOOR * floor or here > EXPLAINED * there:
        return {}
    words = [f"{max(distance, 0.0) ** 0.5:.2f}" for distance in (here, there, floor)]
    return {
        "overall": f"texture is {words[0]} standard deviations from that of images drawn from "
        f"N(mean, covariance) of the real ones, {words[1]} from that of real images "
        f"(held-out real images: {words[2]})"
    }


def blurred(reference: MeasuredSet, held_out: MeasuredSet, synthetic: MeasuredSet) -> Found:
    """Right at large, but without the fine detail.

    Each image is compared with the training image most like it in its 14-pixel sketch, which blur leaves
    alone: real images have that image's detail, on average, whatever their class. Images that do not fit the
    real ones at large are not called blurred.
    """
    sketch, sharpness = reference.statistics.sketch, reference.statistics.sharpness

    def kept(images: MeasuredSet) -> Array:
        return images.statistics.sharpness - sharpness[nearest(images.statistics.sketch, sketch)[1][:, 0]]

    if _far(reference, held_out, synthetic, _sketch):
        return {}
    own, usual = kept(synthetic), float(lowest(kept(held_out), held_out))

    def judge(rows: Indices) -> str | None:
        here = float(np.median(own[rows]))
        error = 1.25 * float(own[rows].std()) / len(rows) ** 0.5  # of a median
        enough = here + ERRORS * error > usual + np.log(BLURRED)
        if enough or _far(reference, held_out, synthetic.take(rows), _sketch):
            return None
        return (
            f"images hold {np.exp(here):.0%} of the fine detail of the real image most like them "
            f"(held-out real images: {np.exp(usual):.0%} or more)"
        )

    return by_class(synthetic, judge)


def another_distribution(reference: MeasuredSet, held_out: MeasuredSet, synthetic: MeasuredSet) -> Found:
    """Another data set, or a generator far from the real images.

    Of as many real and synthetic images nearly every one lies nearest to one of its own side (Schilling
    1986), and the synthetic ones lie farther from the training images than held-out ones do. The share must
    be high on both sides: a generator of little variety flocks together while real images still find it near.
    Where half of the images are half as far again as held-out ones, the rest may be as real as they like.
    """
    views = {"at large": _sketch, "in the classifier's features": _vectors}

    def judge(rows: Indices) -> str | None:
        for name, view in views.items():
            if far := _far(reference, held_out, synthetic.take(rows), view):
                share, farther = far
                own = (
                    f"{share:.0%} of the images, real and synthetic, lie nearest to one of their own side "
                    f"(held-out real images: {_nearest_to_own(reference, held_out, view):.0%}), and "
                )
                return (
                    f"{own if share >= APART else ''}synthetic images lie {farther:.2f} times as far from a "
                    f"training image as held-out ones, {name}: another data set, or a generator far from real"
                )
        return None

    words = judge(np.arange(len(synthetic)))
    return {"overall": words} if words else by_class(synthetic, judge)


def _sketch(images: MeasuredSet) -> Array:
    return images.statistics.sketch


def _vectors(images: MeasuredSet) -> Array:
    return images.vectors


def _far(
    reference: MeasuredSet, held_out: MeasuredSet, images: MeasuredSet, view: Points
) -> tuple[float, float] | None:
    """Share nearest to their own side, and distance to training images in held-out ones'; None: not far."""
    distances = []
    for side in (held_out, images):
        away, which = nearest(view(side), view(reference))
        distances.append((away[:, 0], reference.labels[which[:, 0]]))
    away, label = distances[0]
    overall = float(np.median(away))  # of a class that held-out images never come near
    usual = np.array(
        [
            np.median(away[label == k]) if (label == k).any() else overall
            for k in range(len(reference.class_names))
        ]
    )
    farther = float(np.median(distances[1][0] / (usual[distances[1][1]] + 1e-9)))
    if farther < FARTHER or len(images) < SMALLEST_APART:
        return None
    share = _nearest_to_own(reference, images, view)
    return (share, farther) if share >= APART or farther >= FAR_OFF else None


def _nearest_to_own(reference: MeasuredSet, images: MeasuredSet, view: Points) -> float:
    """Share of images that lie nearest to one of their own side, on the side where it is smaller.

    Both sides are of one size, class by class as the classifier sees them, since a set of fewer classes is
    nearest to itself for that reason alone. 0 for too few images in classes that both sides have.
    """
    sides = (reference, images)
    seen = [side.probabilities.argmax(axis=1) for side in sides]
    rows: list[list[Indices]] = [[], []]
    for label in range(len(reference.class_names)):
        own = [np.flatnonzero(each == label) for each in seen]
        n = min(len(own[0]), len(own[1]), LOOKED_AT * len(own[1]) // len(images))
        for side in (0, 1):
            rows[side].append(_spread_out(own[side], n))
    points = [view(side)[np.concatenate(part)] for side, part in zip(sides, rows, strict=True)]
    if len(points[0]) < SMALLEST_APART:
        return 0.0
    shares = [
        float((nearest(one, one, itself=True)[0] < nearest(one, other)[0]).mean())
        for one, other in (points, points[::-1])
    ]
    return min(shares)


def _drawn(reference: MeasuredSet, counts: Indices) -> Array:
    """Texture of images drawn from N(mean, covariance) of the training images, in these class proportions."""
    rng, textures = np.random.default_rng(0), []
    for label in np.flatnonzero(counts):
        n = -(-LOOKED_AT * int(counts[label]) // int(counts.sum()))
        own = np.flatnonzero(reference.labels == label)
        rows = _spread_out(own if len(own) > 1 else np.arange(len(reference)))
        flat = as_grey_levels(reference.pixels[rows]).reshape(len(rows), -1)
        mean = flat.mean(axis=0)
        # A sum of the centred images with normal weights has their covariance, singular or not.
        weights = rng.standard_normal((n, len(rows)), dtype=np.float32) / np.float32((len(rows) - 1) ** 0.5)
        made = np.clip(np.round(mean + weights @ (flat - mean)), 0, 255).reshape(
            n, *reference.pixels.shape[1:]
        )
        textures.append(texture(made.mean(axis=1)))
    return np.concatenate(textures)


def _apart(one: Array, other: Array, scale: Array) -> float:
    """Mean squared difference of means in units of `scale`, less what two samples of one set show."""
    by_chance = one.var(axis=0) / len(one) + other.var(axis=0) / len(other)
    return float(((np.square(one.mean(axis=0) - other.mean(axis=0)) - by_chance) / scale**2).mean())


def _twin_limit(held_out: MeasuredSet) -> float:
    return TWIN * float(lowest(_to_other(held_out), held_out))


def _to_other(images: MeasuredSet) -> Array:
    """Distance of each image's sketch to the most alike other one."""
    return nearest(images.statistics.sketch, images.statistics.sketch, itself=True)[0][:, 0]


def _distinct(images: MeasuredSet, rows: Indices) -> str:
    return f"{len(np.unique(images.statistics.content[rows]))} distinct among {len(rows)}"


def _root_mean_square(differences: Array) -> Array:
    return np.asarray(np.sqrt(np.square(differences).mean(axis=1)))


def _spread_out(rows: Indices, n: int = LOOKED_AT) -> Indices:
    """At most `n` of the rows, evenly from first to last."""
    return rows if len(rows) <= n else rows[np.linspace(0, len(rows) - 1, n).astype(np.int64)]
