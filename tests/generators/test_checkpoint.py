"""Generator files: what comes back, what they say of themselves, and what is refused."""

import dataclasses
import hashlib
import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from synthaug.augment.errors import DataError, GateError
from synthaug.augment.fingerprint import canonical_fingerprints, refuse_leak
from synthaug.augment.reading import RULES
from synthaug.generators.architectures.resnet import ResidualGenerator
from synthaug.generators.checkpoint import FORMAT, GeneratorCard, load_generator, save_generator
from synthaug.generators.sampling import shipped
from synthaug.generators.value_range import to_uint8

SIZE = {"num_classes": 2, "image_size": 28, "channels": 1, "latent_dim": 8, "width": 4}
CARD = GeneratorCard(("normal", "abnormal"), SIZE, "tiny train split, 7 images", "CC0", {"steps": 3})


def a_generator():
    """Random weights, batch statistics of a few batches, contrast from black to white."""
    torch.manual_seed(0)
    generator = ResidualGenerator(**SIZE)
    with torch.no_grad():
        generator.to_image.weight.mul_(8)
        for _ in range(20):
            generator(torch.randn(32, 8), torch.arange(32) % 2)
    return generator.eval()


@pytest.fixture
def training_images(tiny):
    return tiny((4, 3), side=28)


@pytest.fixture
def path(tmp_path, training_images):
    save_generator(tmp_path / "g.safetensors", a_generator(), training_images, CARD)
    return tmp_path / "g.safetensors"


def draw(generator):
    latents = torch.randn(64, 8, generator=torch.Generator().manual_seed(5))
    with torch.inference_mode():
        return to_uint8(generator(latents, torch.arange(64) % 2))


def refusal(path):
    with pytest.raises(DataError) as caught:
        load_generator(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_loaded_generator_makes_the_images_of_the_saved_one_to_one_grey_level(path):
    before, after = draw(a_generator()).astype(int), draw(load_generator(path)[0])
    assert before.max() - before.min() > 150
    assert np.abs(before - after).max() <= 1


def test_every_loading_makes_the_same_bytes(path):
    assert np.array_equal(draw(load_generator(path)[0]), draw(load_generator(path)[0]))


def test_saving_a_loaded_generator_again_changes_nothing(path, tmp_path, training_images):
    generator, _ = load_generator(path)
    save_generator(tmp_path / "again.safetensors", generator, training_images, CARD)
    assert np.array_equal(draw(load_generator(tmp_path / "again.safetensors")[0]), draw(generator))


def test_a_loaded_generator_is_ready_for_sampling(path):
    generator, _ = load_generator(path)
    assert not generator.training
    assert all(p.dtype == torch.float32 and not p.requires_grad for p in generator.parameters())


def test_the_card_comes_back_with_the_hash_of_the_file(path, training_images):
    _, card = load_generator(path)
    told = dataclasses.replace(card, training_images=CARD.training_images, sha256="")
    assert dataclasses.asdict(told).items() >= {"data": CARD.data, "licence": "CC0"}.items()
    assert (told.class_names, told.size, told.config) == (CARD.class_names, CARD.size, CARD.config)
    assert card.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_same_generator_saved_again_is_the_same_file_to_the_byte(path, training_images):
    before = path.read_bytes()
    for _ in range(5):
        sha256 = save_generator(path, a_generator(), training_images, CARD)
        assert path.read_bytes() == before
        assert sha256 == hashlib.sha256(before).hexdigest()


def test_others_may_read_the_file(path):
    assert path.stat().st_mode & 0o044 == 0o044


def test_the_file_itself_names_format_classes_data_and_licence(path):
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    assert metadata["format"] == FORMAT
    facts = json.loads(metadata["card"])
    assert facts.keys() == {"class_names", "size", "data", "licence", "config", "architecture", "jpeg"}
    assert facts["class_names"] == ["normal", "abnormal"]


def test_the_card_holds_the_fingerprint_of_every_training_image(path, training_images):
    _, card = load_generator(path)
    assert len(card.training_images) == 7
    assert set(canonical_fingerprints(training_images).tolist()) == set(
        card.training_images.fingerprints.tolist()
    )


def test_a_file_says_by_which_rules_its_images_were_read_and_one_of_before_by_the_first(path):
    assert load_generator(path)[1].training_images.rules == RULES
    assert load_generator(shipped()["chest-xray"])[1].training_images.rules == 1


def test_a_test_image_that_the_generator_saw_is_a_leak_and_an_unseen_one_is_not(path, training_images, tiny):
    _, card = load_generator(path)
    refuse_leak(tiny((2, 2), side=28, seed=1), card.training_images, "g")
    with pytest.raises(GateError, match="2 of 2 test images"):
        refuse_leak(training_images.take([0, 5]), card.training_images, "g")


def test_the_file_holds_no_training_image(path, training_images):
    held = path.read_bytes()
    assert not any(image.tobytes()[:64] in held for image in training_images.pixels)


def test_a_missing_generator_file_is_refused(tmp_path):
    assert "expected a generator file" in refusal(tmp_path / "none.safetensors")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_a_truncated_generator_file_is_refused(path, share):
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    assert "expected a generator file" in refusal(path)


def test_a_pickled_or_other_file_is_refused(tmp_path):
    torch.save({"weights": torch.zeros(2)}, tmp_path / "g.safetensors")
    assert "expected a generator file" in refusal(tmp_path / "g.safetensors")


@pytest.mark.parametrize("metadata", [None, {"format": "somebody-else/7"}])
def test_a_safetensors_file_of_somebody_else_is_refused(tmp_path, metadata):
    save_file({"weight": torch.zeros(3)}, tmp_path / "g.safetensors", metadata=metadata)
    assert f"expected {FORMAT!r}" in refusal(tmp_path / "g.safetensors")


def changed(path, change):
    """Write the file again with its card or tensors changed."""
    tensors = load_file(path)
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    facts = json.loads(metadata["card"])
    change(facts, tensors)
    save_file(tensors, path, metadata=metadata | {"card": json.dumps(facts)})


@pytest.mark.parametrize(
    "change",
    [
        lambda facts, tensors: facts.pop("class_names"),
        lambda facts, tensors: facts.update(colour="blue"),
        lambda facts, tensors: facts["size"].update(width=5),
        lambda facts, tensors: facts["size"].update(depth=5),
        lambda facts, tensors: tensors.pop("training_sketches"),
        lambda facts, tensors: tensors.pop("stem.weight"),
    ],
)
def test_a_card_that_does_not_fit_the_weights_is_refused(path, change):
    changed(path, change)
    assert "card and weights do not fit" in refusal(path)


def test_a_card_that_is_no_json_is_refused(path):
    save_file(load_file(path), path, metadata={"format": FORMAT, "card": "{"})
    assert "card and weights do not fit" in refusal(path)


def test_a_failed_save_leaves_the_old_file(path, training_images):
    before = path.read_bytes()
    unsaveable = dataclasses.replace(CARD, config={"device": torch.device("cpu")})
    with pytest.raises(TypeError):
        save_generator(path, a_generator(), training_images, unsaveable)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]
