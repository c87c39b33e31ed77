"""Synthetic images: each depends on (generator, class, seed, index) only, and none waits for the last."""

import numpy as np
import pytest
import torch

from synthaug.augment.errors import DataError, UsageError
from synthaug.augment.images import concatenate
from synthaug.generators.architectures.resnet import ResidualGenerator
from synthaug.generators.checkpoint import GeneratorCard, save_generator
from synthaug.generators.sampling import (
    BLOCK,
    Synthesizer,
    collect,
    collect_for,
    find_generator,
    shipped,
    shipped_for,
)

NAMES = ("Normal", "Pneumonia", "Effusion")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny):
    """A run folder whose generator draws images of full contrast."""
    folder = tmp_path_factory.mktemp("run")
    size = {"num_classes": 3, "image_size": 28, "channels": 1, "latent_dim": 8, "width": 4}
    torch.manual_seed(0)
    generator = ResidualGenerator(**size)
    with torch.no_grad():
        generator.to_image.weight.mul_(8)
    card = GeneratorCard(NAMES, size, "noise", "CC0", {})
    save_generator(folder / "generator.safetensors", generator, tiny((2, 2, 2), side=28), card)
    return folder


@pytest.fixture(scope="module")
def synthesizer(folder):
    return Synthesizer(folder)


def streamed(synthesizer, plan, seed=0):
    return concatenate(list(synthesizer.stream(plan, seed).batches))


def test_the_first_ten_of_two_hundred_are_the_ten(synthesizer):
    ten, many = streamed(synthesizer, {1: 10}), streamed(synthesizer, {1: 200})
    assert ten.pixels.tobytes() == many.pixels[:10].tobytes()


@pytest.mark.parametrize(
    ("start", "stop"),
    [(0, 1), (63, 64), (64, 65), (60, 70), (1, 200), (130, 200), (64, 128), (199, 200)],
)
def test_a_window_holds_the_same_bytes_wherever_it_is_cut(synthesizer, start, stop):
    whole = synthesizer.images(1, 0, 200, seed=3)
    window = synthesizer.images(1, start, stop, seed=3)
    assert window.pixels.tobytes() == whole.pixels[start:stop].tobytes()
    assert window.provenance.tolist() == whole.provenance[start:stop].tolist()


def test_a_class_alone_is_the_same_as_among_others_in_any_order(synthesizer):
    together = streamed(synthesizer, {2: 70, 0: 5, 1: 90})
    for label, n in ((0, 5), (1, 90), (2, 70)):
        assert together.of_class(label).pixels.tobytes() == streamed(synthesizer, {label: n}).pixels.tobytes()


def test_a_generator_loaded_again_makes_the_same_bytes_on_any_number_of_threads(folder, synthesizer):
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        again = streamed(Synthesizer(folder), {0: 70})
    finally:
        torch.set_num_threads(threads)
    assert again.pixels.tobytes() == streamed(synthesizer, {0: 70}).pixels.tobytes()


def test_the_global_random_state_is_neither_read_nor_moved(synthesizer):
    torch.manual_seed(1)
    first, state = streamed(synthesizer, {0: 3}), torch.get_rng_state()
    torch.manual_seed(2)
    assert streamed(synthesizer, {0: 3}).pixels.tobytes() == first.pixels.tobytes()
    torch.manual_seed(1)
    assert torch.equal(torch.get_rng_state(), state)


def test_another_seed_or_class_makes_other_images(synthesizer):
    images = streamed(synthesizer, {0: 20, 1: 20}, seed=0), streamed(synthesizer, {0: 20, 1: 20}, seed=1)
    assert len({pixels.tobytes() for part in images for pixels in part.pixels}) == 80


def test_the_latent_of_an_image_is_drawn_from_seed_class_and_index(folder):
    synthesizer, asked = Synthesizer(folder), []
    synthesizer.generator.register_forward_pre_hook(lambda _module, inputs: asked.append(inputs))
    synthesizer.images(2, 70, 71, seed=5)
    ((latents, labels),) = asked
    assert set(labels.tolist()) == {2}
    expected = np.random.default_rng([5, 2, 70]).standard_normal(8).astype(np.float32)
    assert np.array_equal(latents[70 - BLOCK].numpy(), expected)


def test_counts_are_exact_and_every_image_is_labelled_and_synthetic(synthesizer):
    stream = synthesizer.stream({0: 1, 1: 0, 2: 65})
    images = concatenate(list(stream.batches))
    assert images.counts() == {"Normal": 1, "Pneumonia": 0, "Effusion": 65}
    assert stream.total == len(images) == 66
    assert stream.image_shape == images.image_shape == (1, 28, 28)
    assert stream.dtype == images.pixels.dtype == np.uint8
    assert stream.class_names == NAMES
    assert images.synthetic.all()


def test_provenance_names_generator_seed_and_index_enough_to_make_an_image_again(synthesizer):
    images = streamed(synthesizer, {0: 2, 2: 70}, seed=9)
    assert set(images.provenance["generator"]) == {synthesizer.card.sha256.encode()}
    assert set(images.provenance["seed"]) == {9}
    assert images.provenance["index"].tolist() == [0, 1, *range(70)]
    row = 50
    index, seed = int(images.provenance["index"][row]), int(images.provenance["seed"][row])
    again = synthesizer.images(int(images.labels[row]), index, index + 1, seed)
    assert np.array_equal(again.pixels[0], images.pixels[row])


def test_the_stream_tells_generator_seed_and_licence(synthesizer):
    facts = synthesizer.stream({0: 1}, seed=4).attributes
    assert facts["generator"] == synthesizer.card.sha256
    assert (facts["seed"], facts["licence"], facts["generator_data"]) == (4, "CC0", "noise")


def test_three_thousand_images_are_made_one_block_at_a_time_as_they_are_asked_for(folder):
    synthesizer, made = Synthesizer(folder), []
    synthesizer.generator.register_forward_hook(lambda _module, _inputs, images: made.append(len(images)))
    stream = synthesizer.stream({0: 1000, 2: 2000})
    assert made == []
    batches, seen = iter(stream.batches), 0
    for k in range(1, 4):
        seen += len(next(batches))
        assert made == [BLOCK] * k
    for batch in batches:
        assert len(batch) <= BLOCK
        assert batch.pixels.nbytes <= BLOCK * 28 * 28
        seen += len(batch)
    assert seen == stream.total == 3000
    assert len(made) == 16 + 32


def test_classes_are_found_by_name_in_any_case(synthesizer):
    assert [synthesizer.label_of(name) for name in ("normal", "PNEUMONIA", "Effusion")] == [0, 1, 2]


def test_an_unknown_class_is_refused_with_the_classes_there_are(synthesizer):
    with pytest.raises(
        UsageError, match="no class 'abnormal': this generator has Normal, Pneumonia, Effusion"
    ):
        synthesizer.label_of("abnormal")


def test_collect_gives_as_many_of_each_label_as_wanted(synthesizer):
    images = collect(synthesizer, [3, 0, 66], seed=1)
    assert images.counts() == {"Normal": 3, "Pneumonia": 0, "Effusion": 66}


def test_collect_for_finds_a_data_sets_classes_by_name(synthesizer):
    images = collect_for(synthesizer, ("effusion", "normal"), [4, 2], seed=1)
    assert images.counts() == {"Normal": 2, "Pneumonia": 0, "Effusion": 4}


def test_collect_for_needs_only_the_classes_that_are_wanted(synthesizer):
    assert len(collect_for(synthesizer, ("effusion", "fracture"), [4, 0], seed=1)) == 4
    with pytest.raises(UsageError, match="no class 'fracture'"):
        collect_for(synthesizer, ("effusion", "fracture"), [4, 1], seed=1)


def test_a_generator_is_found_by_run_folder_or_file(folder):
    file = folder / "generator.safetensors"
    assert find_generator(folder) == find_generator(str(file)) == file


@pytest.mark.parametrize("what", ["no-such-generator", "."])
def test_a_generator_that_is_not_there_is_refused_with_what_would_do(tmp_path, monkeypatch, what):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"a run folder or a \.safetensors file") as caught:
        find_generator(what)
    assert all(name in str(caught.value) for name in shipped())


@pytest.mark.parametrize("name", shipped() or [pytest.param("", marks=pytest.mark.skip("none shipped"))])
def test_a_shipped_generator_makes_every_class_it_names(name):
    synthesizer = Synthesizer(name)
    assert synthesizer.path == shipped()[name]
    assert synthesizer.card.licence
    assert len(synthesizer.card.training_images) > 0
    images = collect(synthesizer, [1] * len(synthesizer.card.class_names), seed=0)
    assert set(images.counts().values()) == {1}
    assert images.pixels.std(axis=(1, 2, 3)).min() > 5
    assert (
        synthesizer.card.class_names
        == Synthesizer(shipped_for(synthesizer.card.class_names)).card.class_names
    )


def test_classes_that_no_shipped_generator_makes_are_refused():
    with pytest.raises(UsageError, match="no shipped generator makes wings"):
        shipped_for(["wings"])
