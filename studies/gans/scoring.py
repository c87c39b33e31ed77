"""Everything that is measured of a finished generator, each number beside its floor, as rows of a record.

Synthetic images are held against the reference images, which neither the generator nor the judge has seen, in
the reference's class mix. The floor is what the images that generators are trained on score in their place:
real images, equally many. At 10 % of the data the floor is the same: images of the whole fit set.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from cells import Cell, Place
from lightning_fabric import Fabric
from protocols import PROTOCOLS, Material, first_of_each, material, thinned

from synthaug.augment.images import LabeledImages, Splits
from synthaug.classifiers.prediction import predict
from synthaug.classifiers.scores import auroc
from synthaug.classifiers.training import ClassifierConfig, train_classifier
from synthaug.evaluation.fidelity.extractors import extractors_for
from synthaug.evaluation.fidelity.features import Extractor, Features
from synthaug.evaluation.fidelity.pairs import nearest_real
from synthaug.evaluation.fidelity.perceptual import Perceptual, perceptual_distance
from synthaug.evaluation.fidelity.published import published_form
from synthaug.evaluation.fidelity.scores import fidelity_scores
from synthaug.evaluation.protocol import Sets, comparable_sets, content_order, parts_of
from synthaug.evaluation.score import Score

MOST = {"domain": 3000, "inception-768": 2000, "pairs": 1000}  # images per set: what a measure costs
ROUNDS = 10  # of the intervals: the range over seeds says more
CLASSIFIER_STEPS = 200  # of the classifier that is trained on synthetic images

Row = dict[str, Any]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Yardstick:
    """What the generators of one data set are measured by, the same for all of them.

    Attributes:
        reference, floor: by measure, a key of MOST.
        known: class names of the domain classifier.
    """

    data: Material
    extractors: tuple[Extractor, ...]
    reference: dict[str, LabeledImages]
    floor: dict[str, LabeledImages]
    perceptual: Perceptual | None

    @property
    def counts(self) -> list[int]:
        """Images of every class that a generator must make."""
        return list(self.reference["domain"].counts().values())

    def sets(self, synthetic: LabeledImages, measure: str) -> Sets:
        """The sets to compare: as many synthetic images of every class as reference images."""
        counts = list(self.reference[measure].counts().values())
        real = Splits(self.reference[measure], self.floor[measure], self.data.judge)
        return comparable_sets(real, in_order(synthetic, counts), largest=max(MOST.values()))


@lru_cache(maxsize=1)
def yardstick(data: str, extractors: tuple[str, ...], place: Place, fabric: Fabric) -> Yardstick:
    """Made once per process; what takes long in it (classifiers, features) is in the cache after that."""
    protocol, images = PROTOCOLS[data], material(data, place.data_root)
    counts = list(images.reference.counts().values())
    quotas = {measure: thinned(counts, most) for measure, most in MOST.items()}
    reference = {m: images.reference.take(first_of_each(images.reference, n)[0]) for m, n in quotas.items()}
    floor = {m: images.fit.take(first_of_each(images.fit, n)[0]) for m, n in quotas.items()}
    known = images.known
    found = extractors_for(
        list(extractors),
        Splits(known.test, known.val, known.train, f"{data}, reference as"),
        fabric=fabric,
        inception_weights=place.inception_weights,
        steps=protocol.classifier_steps,
    )
    if fabric.strategy.precision.precision == "bf16-mixed":  # as trainings: where the hardware has it
        found = [in_bf16(e) if e.protocol.name.startswith("inception") else e for e in found]
    ready = Yardstick(images, tuple(found), reference, floor, lpips(place, protocol.lpips))
    for measure, extractor in zip(extractors, found, strict=True):
        for part in (reference[measure], floor[measure]):
            extractor.extract(part.take(content_order(part)))  # the order in which sets have them
    return ready


def in_bf16(extractor: Extractor) -> Extractor:
    """The same in half the time: values and floors alike are of rounded features, and say so."""

    def of_batch(images: LabeledImages) -> Features:
        with torch.autocast("cpu", torch.bfloat16):
            return extractor.of_batch(images)

    protocol = replace(extractor.protocol, preprocessing=f"{extractor.protocol.preprocessing}, bf16")
    return Extractor(protocol, of_batch)


def lpips(place: Place, wanted: bool) -> Perceptual | None:
    return perceptual_distance(place.lpips_weights) if wanted and place.lpips_weights else None


def score(cell: Cell, synthetic: LabeledImages, yard: Yardstick, fabric: Fabric) -> list[Row]:
    """Rows of fidelity in every extractor, class agreement, and what the data set's protocol adds."""
    rows: list[Row] = []
    for measure, extractor in zip(cell.extractors, yard.extractors, strict=True):
        sets = yard.sets(synthetic, measure)
        found = fidelity_scores(sets, parts_of(sets), [extractor], rounds=ROUNDS)
        rows += [as_row(score, measure) for score in found]
        if measure == "domain":
            rows += agreement(sets, extractor, yard.data.known.class_names)
    protocol = PROTOCOLS[cell.data]
    if protocol.published:
        sets = yard.sets(synthetic, "pairs")
        pairs = published_form(sets, parts_of(sets), yard.perceptual)
        pairs += nearest_real(sets, parts_of(sets), yard.perceptual)
        rows += [as_row(score, "pairs") for score in pairs]
    if protocol.downstream:
        rows += downstream(yard.sets(synthetic, "domain"), yard.data.judge, fabric)
    return rows


def as_row(score: Score, measure: str) -> Row:
    estimates = {name: getattr(score, name) for name in ("value", "floor", "gap")}
    return {
        "metric": score.metric,
        "in": measure,
        "part": score.part,
        **{name: [e.value, e.low, e.high] for name, e in estimates.items()},
        "n": score.n,
        "n_reference": score.n_reference,
        "protocol": str(score.protocol),
        "note": score.note,
    }


def plain_row(metric: str, measure: str, part: str, value: float, floor: float, **counts: int) -> Row:
    """A number without an interval."""
    numbers = {"value": [value], "floor": [floor], "gap": [value - floor]}
    return {"metric": metric, "in": measure, "part": part, **numbers, **counts, "protocol": "", "note": ""}


def agreement(sets: Sets, extractor: Extractor, known: tuple[str, ...]) -> list[Row]:
    """Share of the images that the domain classifier gives the class they should have."""
    right = {
        which: is_taken_for_its_class(images, extractor, known)
        for which, images in (("value", sets.synthetic), ("floor", sets.floor))
    }
    rows = []
    names = sets.reference.class_names
    for label, part in [(None, "overall"), *enumerate(names)] if len(names) > 1 else [(0, names[0])]:
        of = {
            which: right[which][slice(None) if label is None else images.labels == label]
            for which, images in (("value", sets.synthetic), ("floor", sets.floor))
        }
        n = {"n": len(of["value"]), "n_reference": len(sets.reference)}
        rows.append(plain_row("agreement", "domain", part, *(float(of[w].mean()) for w in of), **n))
    return rows


def is_taken_for_its_class(images: LabeledImages, extractor: Extractor, known: tuple[str, ...]) -> Flags:
    """(N,) whether a classifier of the classes `known` gives each image its own."""
    logits = extractor.extract(images).logits
    assert logits is not None
    found: Flags = np.array(known)[logits.argmax(axis=1)] == np.array(images.class_names)[images.labels]
    return found


def downstream(sets: Sets, val: LabeledImages, fabric: Fabric) -> list[Row]:
    """Accuracy and AUROC on the reference images of a classifier trained on synthetic, or floor, images."""
    config = ClassifierConfig(steps=CLASSIFIER_STEPS)
    found = []
    for train in (sets.synthetic, sets.floor):
        network = train_classifier(train, val, config, fabric).network
        said = predict(network, sets.reference).probabilities
        right = float((said.argmax(axis=1) == sets.reference.labels).mean())
        found.append((right, auroc(sets.reference.labels, said)))
    names, counts = ("accuracy", "AUROC"), {"n": len(sets.synthetic), "n_reference": len(sets.reference)}
    return [
        plain_row(name, "downstream", "overall", value, floor, **counts)
        for name, value, floor in zip(names, *found, strict=True)
    ]


def in_order(images: LabeledImages, counts: list[int]) -> LabeledImages:
    """The first so many of every class, as they were made."""
    rows = [np.flatnonzero(images.labels == label)[:n] for label, n in enumerate(counts)]
    return images.take(np.concatenate(rows))
