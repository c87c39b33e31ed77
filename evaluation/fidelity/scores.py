"""Fidelity and diversity in features: every metric with its interval, beside its floor. See `protocol`."""

from collections.abc import Sequence
from dataclasses import replace

from synthaug.evaluation.fidelity.features import Extractor
from synthaug.evaluation.fidelity.jackknife import estimate, freedom
from synthaug.evaluation.fidelity.metrics import METRICS, available, score_all
from synthaug.evaluation.protocol import Part, Sets
from synthaug.evaluation.score import Score


def fidelity_scores(
    sets: Sets, parts: Sequence[Part], extractors: Sequence[Extractor], *, rounds: int = 50, seed: int = 0
) -> list[Score]:
    """Every metric of `METRICS`, in every extractor's features, overall and per class.

    Args:
        rounds: subsets that the intervals are made from.

    Returns:
        Finite numbers; where there are too few images for one, its note names how many it wants and the
        metric to read instead.
    """
    scores = []
    for extractor in extractors:
        features = {
            name: replace(extractor.extract(images), groups=images.groups) for name, images in sets.items()
        }
        dimensions = extractor.protocol.dimensions
        for part in parts:
            reference = features["reference"].take(part.reference)
            floor = features["floor"].take(part.floor)
            synthetic = features["synthetic"].take(part.synthetic)
            wanted = [name for name, m in METRICS.items() if m.of_classes or part.name == "overall"]
            names = available(wanted, synthetic)
            estimates = estimate(score_all, reference, floor, synthetic, names, rounds=rounds, seed=seed)
            for name, (value, of_floor, gap) in estimates.items():
                metric = METRICS[name]
                minimum = metric.minimum(dimensions)
                few = f"{part.n} images, {name} wants {minimum:,} or more"
                few += f": read {metric.instead}" if metric.instead else ": add images"
                scores.append(
                    Score(
                        metric=name,
                        part=part.name,
                        protocol=extractor.protocol,
                        value=value,
                        floor=of_floor,
                        gap=gap,
                        better=metric.better,
                        n_reference=len(part.reference),
                        n=part.n,
                        note=few if part.n < minimum else metric.caution(synthetic),
                        freedom=freedom(floor, synthetic, rounds),
                    )
                )
    return scores
