"""Sets of every kind go from any format to any other and back: what the target can hold is all there.

What it cannot hold is named in a warning, one line each.
"""

import logging
import tempfile
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("hypothesis", reason="hypothesis draws the sets: pip install 'synthaug[dev]'")
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synthaug.augment.formats.registry import read_attributes, read_images, write_images
from synthaug.augment.images import PARTS, PROVENANCE, LabeledImages
from synthaug.augment.pseudonym import PSEUDONYM
from synthaug.augment.stream import ImageStream

TARGETS = {"hdf5": "out.h5", "npz": "out.npz", "folder": "out", "dicom": "out-dicom"}
NAMES = (
    "normal",
    "abnormal",
    "no finding",
    "Ödem links",
    "a/b",
    "A_b",
    "grade",
    "grade_2",
    "train",
    "..",
    "x,|'\"y",
    "",
    " grade ",
)
FACTS = {"licence": "CC BY 4.0", "seed": 3, "memorization_gate": "passed"}
drawn = settings(
    max_examples=6, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@st.composite
def image_sets(draw):
    """Labelled images of any kind that the type allows; no two are equal."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    n = draw(st.integers(1, 7))
    random = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    dtype = draw(st.sampled_from([np.uint8, np.uint16]))
    shape = (n, draw(st.sampled_from([1, 3])), draw(st.integers(5, 12)), draw(st.integers(5, 12)))
    labels = np.array(draw(st.lists(st.integers(0, len(names) - 1), min_size=n, max_size=n)), np.int64)
    synthetic = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    patients = st.sampled_from(["Meier, Anna", "0012", "12", "anon-0123456789abcdef"])
    groups = draw(st.none() | st.lists(patients, min_size=n, max_size=n))
    split = draw(st.none() | st.lists(st.sampled_from(PARTS), min_size=n, max_size=n))
    origins = np.zeros(n, PROVENANCE)
    made = [(random.bytes(32).hex().encode(), random.integers(1 << 40), k) for k in range(n)]
    origins[synthetic] = np.array(made, PROVENANCE)[synthetic]
    return LabeledImages(
        pixels=random.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True),
        labels=labels,
        class_names=tuple(names),
        synthetic=synthetic,
        groups=None if groups is None else np.where(synthetic, "synthetic", groups),
        provenance=origins if synthetic.any() else None,
        split=None if split is None else np.array(split),
    )


def by_pixels(images):
    """In an order that does not depend on the format."""
    return images.take(sorted(range(len(images)), key=lambda k: images.pixels[k].tobytes()))


def held(target, images):
    """What a format holds of the images, and words of the warnings that name the rest."""
    lost = []
    deep = images.pixels.dtype == np.uint16
    if deep and images.image_shape[0] == 3 and target in ("out", "out-dicom"):
        images = replace(images, pixels=(images.pixels >> 8).astype(np.uint8))
        lost.append("holds colour of 8 bits")
    elif deep and target == "out":
        lost.append("16 bits are white in torchvision's ImageFolder")
    if target == "out" and {"", " grade "} & set(images.class_names):
        names = [name.strip() or "_" for name in images.class_names]
        twice = [names.index(name) != label for label, name in enumerate(names)]
        names = [f"{name}_{label}" if twice[label] else name for label, name in enumerate(names)]
        images = replace(images, class_names=tuple(names))
        lost.append("class names cannot be empty")
    return images, lost


@pytest.mark.parametrize(("first", "second"), list(product(TARGETS, TARGETS)))
@drawn
@given(sent=image_sets())
def test_nothing_is_lost_unsaid_on_the_way_through_two_formats(first, second, caplog, sent):
    images, facts = sent, FACTS
    with tempfile.TemporaryDirectory() as folder:
        for step, target in enumerate((TARGETS[first], TARGETS[second])):
            path = Path(folder) / str(step) / target
            sent, lost = held(target, sent)
            caplog.clear()
            write_images(ImageStream.of(images, **facts), path)
            said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
            assert len(said) == len(lost)
            assert all(word in line and "\n" not in line for word, line in zip(lost, said, strict=True))
            images, facts = read_images(path), dict(read_attributes(path))
            check(by_pixels(images), by_pixels(sent))
            assert facts == FACTS


def check(back, sent):
    assert back.pixels.dtype == sent.pixels.dtype
    assert np.array_equal(back.pixels, sent.pixels)
    assert back.class_names == sent.class_names
    assert back.labels.tolist() == sent.labels.tolist()
    assert back.synthetic.tolist() == sent.synthetic.tolist()
    made = sent.synthetic
    if made.any():
        assert back.provenance[made].tolist() == sent.provenance[made].tolist()
    assert (back.split is None) == (sent.split is None)
    if sent.split is not None:
        assert back.split.tolist() == sent.split.tolist()
    if sent.groups is not None and not made.all():
        pairs = set(zip(sent.groups[~made].tolist(), back.groups[~made].tolist(), strict=True))
        assert len(pairs) == len({name for name, _ in pairs}) == len({hidden for _, hidden in pairs})
        assert all(PSEUDONYM.fullmatch(hidden) for _, hidden in pairs)
    elif sent.groups is None:
        assert back.groups is None
