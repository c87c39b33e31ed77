"""Over-sampling of minority classes with synthetic images, in imbalanced-learn's conventions::

    from synthaug.imbalance import GANSampler

    X_resampled, y_resampled = GANSampler(preset="synthaug", steps=2000).fit_resample(X, y)

A `GANSampler` stands wherever imbalanced-learn takes a sampler, in an `imblearn.pipeline.Pipeline` too.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator

from synthaug._api.generate import Generation
from synthaug._api.generator import Generator, opened
from synthaug._api.runtime import device_of
from synthaug._api.train_generator import train_generator
from synthaug.augment.arrays import ImageLayout
from synthaug.augment.balance import Strategy, sampling_plan
from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.images import LabeledImages, Splits
from synthaug.augment.splits import carve_validation
from synthaug.augment.transforms import matching

HELD_OUT = 0.1  # of the images: to monitor the training, and to set the gate's threshold by

__all__ = ["GANSampler"]


class GANSampler(BaseEstimator):  # type: ignore[misc]
    """Fill up classes with images of a conditional GAN.

    Args:
        generator: a trained generator (its name, run folder or file, or what `train_generator` returned);
            None trains one on the images of each `fit_resample`.
        preset: recipe of the generator that is trained.
        steps: its updates; the preset's by default.
        sampling_strategy: which classes to fill up, as imbalanced-learn has it: "minority", "not minority",
            "not majority" (= "auto"), "all"; a number (two classes): the minority's share of the majority
            afterwards; a list of classes to fill up; or a dict of wanted totals by class.
        shape: of one image, (H, W), (C, H, W) or (H, W, C), where `X` is flattened to (N, features).
        class_names: the generator's class by label of `y`, where these are not the same (ignoring case); by
            default integer labels 0…K-1 stand for the generator's K classes in order.
        random_state: of the training and of the images.
        allow_near_copies: let near copies of the given images pass.
        device: "auto", "cpu", "cuda" or "mps".

    Attributes:
        generator_: the generator that was used.
        sampling_strategy_: synthetic images by label of `y`.
    """

    _estimator_type = "sampler"

    def __init__(
        self,
        *,
        generator: Any = None,
        preset: str = "synthaug",
        steps: int | None = None,
        sampling_strategy: Any = "auto",
        shape: tuple[int, ...] | None = None,
        class_names: Mapping[Any, str] | None = None,
        random_state: int = 0,
        allow_near_copies: bool = False,
        device: str = "auto",
    ):
        self.generator = generator
        self.preset = preset
        self.steps = steps
        self.sampling_strategy = sampling_strategy
        self.shape = shape
        self.class_names = class_names
        self.random_state = random_state
        self.allow_near_copies = allow_near_copies
        self.device = device

    def fit_resample(self, X: npt.ArrayLike, y: npt.ArrayLike) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """The given images followed by synthetic ones.

        Args:
            X: images (N, C, H, W), (N, H, W, C) or (N, H, W), or flattened to (N, features) with `shape`;
                uint8, uint16, or floats from 0 to 1.
            y: (N,) labels of any type.

        Returns:
            Images in the layout and type of `X`, and their labels.

        Raises:
            DataError: arrays that are not such images and labels.
            UsageError: a strategy or generator that does not fit the classes.
            GateError: near copies of the given images are among the synthetic ones.
        """
        given, labels = np.asarray(X), np.asarray(y)
        layout = ImageLayout.of(given, self.shape)
        classes, numbers = np.unique(labels, return_inverse=True)
        if labels.ndim != 1 or len(labels) != len(given) or len(classes) < 2:
            raise DataError(
                f"y of shape {labels.shape} with {len(classes)} classes: expected one label for each of "
                f"{len(given)} images, of two classes or more"
            )
        names = tuple(str(value) for value in classes.tolist())
        images = LabeledImages(layout.to_pixels(given), numbers.astype(np.int64), names)
        plan = sampling_plan(images.labels, len(names), self._strategy(classes.tolist()))
        self.sampling_strategy_ = dict(zip(classes.tolist(), plan, strict=True))
        if not sum(plan):
            return given, labels
        train, held_out = carve_validation(images, HELD_OUT, self.random_state)
        splits = Splits(train, held_out, held_out.take([]), "the given images")
        self.generator_ = self._opened(splits)
        theirs = self._labels_of(self.generator_, classes.tolist())
        generation = Generation(
            self.generator_,
            self.generator_.synthesizer(device_of(self.device)),
            {theirs[k]: n for k, n in enumerate(plan) if n},
            self.random_state,
            training_images=None if self.generator is None else splits,
            allow_near_copies=self.allow_near_copies,
        )
        made = generation.collect()
        ours = {label: k for k, label in enumerate(theirs)}
        added = layout.from_pixels(matching(made, images).pixels)
        values = classes[[ours[label] for label in made.labels.tolist()]]
        return np.concatenate([given, added]), np.concatenate([labels, values])

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> "GANSampler":
        """Check the arrays; nothing is learnt before `fit_resample`."""
        ImageLayout.of(np.asarray(X), self.shape)
        return self

    def _strategy(self, classes: Sequence[Any]) -> Strategy:
        """The sampling strategy by label number."""
        strategy = self.sampling_strategy
        if isinstance(strategy, Mapping):
            if unknown := [key for key in strategy if key not in classes]:
                raise UsageError(f"sampling_strategy names {unknown}: expected classes among {classes}")
            return {classes.index(key): int(total) for key, total in strategy.items()}
        if isinstance(strategy, Sequence) and not isinstance(strategy, str):
            if unknown := [key for key in strategy if key not in classes]:
                raise UsageError(f"sampling_strategy names {unknown}: expected classes among {classes}")
            return [classes.index(key) for key in strategy]
        if isinstance(strategy, str | float | int):
            return strategy
        raise UsageError(f"sampling_strategy {strategy!r}: expected a word, a number, a list or a dict")

    def _opened(self, splits: Splits) -> Generator:
        if self.generator is not None:
            return opened(self.generator)
        steps: dict[str, Any] = {} if self.steps is None else {"steps": self.steps}
        return train_generator(
            splits, preset=self.preset, seed=self.random_state, device=self.device, **steps
        )

    def _labels_of(self, generator: Generator, classes: Sequence[Any]) -> list[int]:
        """The generator's label for each class of `y`."""
        theirs = [name.lower() for name in generator.class_names]
        if self.class_names is not None:
            if lacking := [value for value in classes if value not in self.class_names]:
                raise UsageError(f"class_names lacks {lacking}: expected a class of the generator for each")
            wanted = [str(self.class_names[value]).lower() for value in classes]
        elif classes == list(range(len(theirs))):
            return list(classes)
        else:
            wanted = [str(value).lower() for value in classes]
        if unknown := [name for name in wanted if name not in theirs]:
            raise UsageError(
                f"the generator makes {', '.join(generator.class_names)}, y has {', '.join(unknown)}: "
                "give class_names={label of y: class of the generator}"
            )
        return [theirs.index(name) for name in wanted]
