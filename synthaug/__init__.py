"""Synthetic data augmentation for medical-image classifiers: generate, blend, train, and measure the gain.

    import synthaug as sa

    data = sa.load("pneumoniamnist")
    run = sa.train_generator(data, preset="synthaug", steps=2000)
    images = sa.generate("normal", n=2400, generator=run)
    train = sa.blend(data.train, images, balance=True)
    model = sa.train_classifier(train, data.val)
    report = sa.evaluate(data, images)

Names are imported when they are first used: `import synthaug` costs milliseconds and no PyTorch.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from synthaug._api.blend import blend as blend
    from synthaug._api.dataset import Dataset as Dataset
    from synthaug._api.dataset import balanced_sampler as balanced_sampler
    from synthaug._api.evaluate import EvaluationReport as EvaluationReport
    from synthaug._api.evaluate import evaluate as evaluate
    from synthaug._api.experiment.run import ExperimentResult as ExperimentResult
    from synthaug._api.experiment.run import experiment as experiment
    from synthaug._api.generate import generate as generate
    from synthaug._api.generate import generate_to as generate_to
    from synthaug._api.generator import Generator as Generator
    from synthaug._api.load import load as load
    from synthaug._api.save import save as save
    from synthaug._api.stream import SyntheticStream as SyntheticStream
    from synthaug._api.train_classifier import Classifier as Classifier
    from synthaug._api.train_classifier import train_classifier as train_classifier
    from synthaug._api.train_generator import train_generator as train_generator
    from synthaug.augment.errors import DataError as DataError
    from synthaug.augment.errors import GateError as GateError
    from synthaug.augment.errors import SynthaugError as SynthaugError
    from synthaug.augment.errors import UsageError as UsageError
    from synthaug.augment.images import LabeledImages as LabeledImages
    from synthaug.augment.images import Splits as Splits
    from synthaug.augment.progress import Progress as Progress

# In a checkout the rooms (augment/, generators/, …) stand beside this folder, in a wheel within it.
if not (Path(__file__).parent / "augment").is_dir():
    __path__.append(str(Path(__file__).resolve().parent.parent))

_HOMES = {
    "load": "_api.load",
    "train_generator": "_api.train_generator",
    "generate": "_api.generate",
    "generate_to": "_api.generate",
    "blend": "_api.blend",
    "train_classifier": "_api.train_classifier",
    "evaluate": "_api.evaluate",
    "experiment": "_api.experiment.run",
    "save": "_api.save",
    "Dataset": "_api.dataset",
    "balanced_sampler": "_api.dataset",
    "SyntheticStream": "_api.stream",
    "Generator": "_api.generator",
    "Classifier": "_api.train_classifier",
    "EvaluationReport": "_api.evaluate",
    "ExperimentResult": "_api.experiment.run",
    "LabeledImages": "augment.images",
    "Splits": "augment.images",
    "Progress": "augment.progress",
    "SynthaugError": "augment.errors",
    "UsageError": "augment.errors",
    "DataError": "augment.errors",
    "GateError": "augment.errors",
}
__all__ = ["__version__", *_HOMES]


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("synthaug")
    except PackageNotFoundError:  # a checkout that nobody installed
        return "0+unknown"


def __getattr__(name: str) -> Any:
    if name == "__version__":
        globals()[name] = _version()
        return globals()[name]
    if name not in _HOMES:
        raise AttributeError(f"module 'synthaug' has no attribute {name!r}")
    value = getattr(import_module(f"synthaug.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
