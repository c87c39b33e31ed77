"""Adding a … touches one file: each addition is made in a copy of the repository, and used there."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("augment", "classifiers", "cli", "evaluation", "generators", "synthaug")
DATA = "phantom:n=120,abnormal=0.4"


class Checkout:
    """A copy of the rooms; knows which of its files were touched."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.touched: set[str] = set()
        for room in ROOMS:
            shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))

    def insert(self, path: str, before: str, text: str) -> None:
        """Put text in front of what stands in a file once."""
        file = self.folder / path
        assert file.read_text().count(before) == 1, f"{path} has no single {before!r}"
        file.write_text(file.read_text().replace(before, text + before))
        self.touched.add(path)

    def write(self, path: str, text: str) -> None:
        """A new file."""
        assert not (self.folder / path).exists()
        (self.folder / path).write_text(text)
        self.touched.add(path)

    def python(self, code: str) -> str:
        """What a script prints; the working folder comes first on its path."""
        return self._run("-c", code)

    def synthaug(self, *arguments: str) -> str:
        """What a command prints."""
        return self._run("-m", "synthaug.cli", *arguments)

    def _run(self, *arguments: str) -> str:
        done = subprocess.run([sys.executable, *arguments], cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def add_reading_option(checkout: Checkout) -> None:
    checkout.insert(
        "augment/reading.py",
        "    skip_bad: bool = _of_files(",
        '    invert: bool = _of_files(False, "Black for white.")\n',
    )
    checkout.insert("augment/reading.py", '"bits", "fit", ', '"invert", ')
    checkout.insert(
        "augment/transforms.py",
        "    if reading.size is not None:\n        images = resize(squared(images, reading.fitting)",
        "    if reading.invert:\n"
        "        images = replace(images, pixels=np.iinfo(images.pixels.dtype).max - images.pixels)\n",
    )


def add_experiment_option(checkout: Checkout) -> None:
    path = "synthaug/_api/experiment/options.py"
    checkout.insert(
        path,
        "    seeds: int = option(",
        '    first: int | None = option(None, "Training images, the first.", low=1)\n',
    )
    checkout.insert(
        path,
        "        for text in self.rare_classes:\n",
        "        if self.first is not None:\n"
        "            splits = replace(splits, train=splits.train.take(range(self.first)))\n",
    )


def test_an_option_of_reading_is_an_option_of_every_command_that_reads(checkout):
    add_reading_option(checkout)
    for command in ("export", "evaluate", "train-generator"):
        assert "--invert" in checkout.synthaug(command, "--help")


def test_an_option_of_the_experiment_is_an_option_of_the_command(checkout):
    add_experiment_option(checkout)
    assert "--first" in checkout.synthaug("experiment", "--help")


@pytest.mark.slow
def test_an_option_of_reading_touches_two_files(checkout):
    add_reading_option(checkout)
    difference = checkout.python(
        "import synthaug as sa\n"
        f"plain, inverted = sa.load({DATA!r}, size=16), sa.load({DATA!r}, size=16, invert=True)\n"
        "print((plain.train.pixels + inverted.train.pixels == 255).all())"
    )
    assert difference == "True\n"
    assert len(checkout.touched) == 2


@pytest.mark.slow
def test_an_option_of_the_experiment_touches_one_file(checkout):
    add_experiment_option(checkout)
    options = ("--size", "16", "--first", "50", "--generator-steps", "1", "--steps", "1", "--arms", "core")
    plan = checkout.synthaug("experiment", "--dataset", DATA, *options, "--dry-run", "--json")
    assert json.loads(plan)["config"]["first"] == 50
    assert len(checkout.touched) == 1


@pytest.mark.slow
def test_a_data_set_touches_one_file(checkout):
    path = "augment/datasets/load.py"
    checkout.insert(
        path,
        "        **{name: _medmnist_entry",
        '        "stripes": DatasetEntry(_stripes, lambda root: None, 60, ("across", "down"), "none"),\n',
    )
    checkout.insert(
        path,
        "def _load_path(",
        "def _stripes(request: Request) -> Splits:\n"
        "    pixels = np.zeros((60, 1, 16, 16), np.uint8)\n"
        "    pixels[:30, :, ::2], pixels[30:, :, :, ::2] = 255, 255\n"
        "    pixels[:, 0, 0, 1] = np.arange(60)\n"
        '    images = LabeledImages(pixels, np.repeat([0, 1], 30), ("across", "down"))\n'
        '    return draw_splits(images, "stripes", seed=request.options.split_seed)\n\n\n',
    )
    assert "stripes" in checkout.synthaug("datasets")
    shown = checkout.python("import synthaug as sa; print(sa.load('stripes', size=8).train.image_shape)")
    assert shown == "(1, 8, 8)\n"
    assert len(checkout.touched) == 1


@pytest.mark.slow
def test_a_format_touches_one_file(checkout):
    path = "augment/formats/registry.py"
    checkout.insert(
        path,
        "FORMATS = {\n",
        "def _read_arrays(path: Path, reading: ReadOptions) -> LabeledImages:\n"
        "    with safe_open(path, framework='numpy') as file:\n"
        "        names = tuple(file.metadata()['class_names'].split(','))\n"
        "        return LabeledImages(file.get_tensor('images'), file.get_tensor('labels'), names)\n\n\n"
        "def _write_arrays(stream: ImageStream, path: Path, writing: WriteOptions) -> None:\n"
        "    batches = list(stream.batches)\n"
        "    arrays = {'images': np.concatenate([batch.pixels for batch in batches])}\n"
        "    arrays['labels'] = np.concatenate([batch.labels for batch in batches])\n"
        "    save_file(arrays, path, {'class_names': ','.join(stream.class_names)})\n\n\n",
    )
    checkout.insert(
        path,
        '    "csv": Format(',
        '    "safetensors": Format(_read_arrays, _write_arrays, ".safetensors", no_facts),\n',
    )
    checkout.insert(
        path,
        "from synthaug.augment.dicom import",
        "import numpy as np\nfrom safetensors import safe_open\nfrom safetensors.numpy import save_file\n\n",
    )
    checkout.synthaug("export", DATA, "there.safetensors", "--split", "train", "--size", "16")
    back = checkout.python("import synthaug as sa; print(sa.load('there.safetensors').train.class_names)")
    assert back == "('normal', 'abnormal')\n"
    assert len(checkout.touched) == 1


def trained(checkout: Checkout, **options: object) -> str:
    """A generator trained for one step: its card's architecture, or how it was refused."""
    return checkout.python(
        "import synthaug as sa\n"
        f"run = sa.train_generator({DATA!r}, size=16, steps=1, width=8, monitor=False, **{options!r})\n"
        "print(run.config.architecture, run.config.objective, run.config.batch_size, end='')"
    )


@pytest.mark.slow
def test_an_objective_touches_one_file(checkout):
    checkout.insert(
        "generators/objectives.py",
        '    "hinge": Objective(',
        '    "softer": Objective(least_squares_discriminator, bce_generator, "nobody"),\n',
    )
    assert trained(checkout, objective="softer") == "light softer 32"
    assert "softer" in checkout.synthaug("models")
    assert len(checkout.touched) == 1


@pytest.mark.slow
def test_an_architecture_touches_its_file_and_the_list(checkout):
    checkout.write(
        "generators/architectures/doubled.py",
        '"""The fully connected pair, doubled."""\n\n'
        "from dataclasses import replace\n\n"
        "from synthaug.generators.architectures import mlp\n\n\n"
        "class Generator(mlp.MLPGenerator):\n"
        '    """Twice as wide."""\n\n\n'
        "ARCHITECTURE = replace(mlp.ARCHITECTURE, generator=Generator)\n",
    )
    listing = "generators/architectures/__init__.py"
    checkout.insert(listing, "light, mlp", "doubled, ")
    checkout.insert(listing, '    "resnet": resnet', '    "doubled": doubled.ARCHITECTURE,\n')
    options = {"architecture": "doubled", "window_floor": False, "noise_from": 0}
    assert trained(checkout, **options) == "doubled bce 32"
    assert checkout.touched == {"generators/architectures/doubled.py", listing}


@pytest.mark.slow
def test_a_preset_touches_one_file(checkout):
    checkout.insert(
        "generators/presets.py",
        '    "vanilla": Preset(',
        '    "small": Preset(GANConfig(batch_size=8), "nobody"),\n',
    )
    assert trained(checkout, preset="small") == "light bce 8"
    assert "small" in checkout.synthaug("models")
    assert len(checkout.touched) == 1


@pytest.mark.slow
def test_a_metric_touches_one_file(checkout):
    checkout.insert(
        "evaluation/fidelity/metrics.py",
        '    "coverage": Metric(',
        '    "offset": Metric(\n'
        "        lambda pair: float(pair.real.vectors.mean() - pair.synthetic.vectors.mean()) ** 2,\n"
        '        "lower", lambda _: 10, "KID", lowest=0),\n',
    )
    found = checkout.python(
        "import numpy as np, synthaug as sa\n"
        f"data = sa.load({DATA!r}, size=16)\n"
        "report = sa.evaluate(data, data.test, extractor='pixels', memorization=False)\n"
        "print({score.metric for score in report.scores if 'offset' in score.metric})"
    )
    assert "offset" in found
    assert len(checkout.touched) == 1
