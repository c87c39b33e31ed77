"""The README of a data set that is written: what it is, where it is from, and what it is not good for.

The sections follow Hugging Face's dataset cards and "Datasheets for Datasets" (Gebru et al. 2021), as far as
a program can know the answers. A card holds no path and no patient's identifier.
"""

from importlib.metadata import version

from synthaug.augment.formats.contents import MANY, Contents


def data_card(contents: Contents, name: str, format: str, loading: str) -> str:
    """Markdown that describes a data set.

    Args:
        contents: counted while the set was written.
        name: of the file or folder.
        format: as `formats.FORMATS` calls it.
        loading: Python that loads it, with `{name}` for the name.
    """
    made = contents.number(made=True)
    sections = {
        f"# {name}": _summary(contents, format),
        "## Counts": _counts(contents),
        "## Images": _images(contents),
        "## Where the synthetic images are from": _origin(contents) if made else "",
        "## Memorization gate": _gate(contents) if made else "",
        "## Licence": contents.licence or "Not stated. The licence of the images it was made from applies.",
        "## Intended use": _use(contents),
        "## Limits": _limits(contents),
        "## Loading": f"```python\n{loading.replace('{name}', name)}\n```",
    }
    said = [f"{title}\n\n{text}\n" for title, text in sections.items() if text]
    return "\n".join([*said, f"Written by synthaug {version('synthaug')}.\n"])


def _summary(contents: Contents, format: str) -> str:
    total, real, made = contents.number(), contents.number(made=False), contents.number(made=True)
    counts = f"{total:,} labelled medical images ({real:,} real, {made:,} synthetic)"
    source = f" from {_cell(contents.source)}" if contents.source else ""
    warning = "**Some of these images show no patient: they were made by a generator.**\n\n" if real else ""
    warning = warning or "**No image here shows a patient: all were made by a generator.**\n\n"
    return f"{warning if made else ''}{counts}{source}, for training image classifiers. Format: {format}."


def _counts(contents: Contents) -> str:
    divided = contents.splits != [""]
    head = ["class", *(["split"] if divided else []), "real", "synthetic"]
    lines = [head, ["---"] * (len(head) - 2) + ["---:", "---:"]]
    for label, class_name in enumerate(contents.stream.class_names):
        for split in contents.splits:
            numbers = [f"{contents.number(label, split, made):,}" for made in (False, True)]
            lines.append([_cell(class_name), *([split or "none"] if divided else []), *numbers])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _images(contents: Contents) -> str:
    channels, height, width = contents.stream.image_shape
    colour = "grey" if channels == 1 else "RGB"
    return f"{width} × {height} pixels (width × height), {colour}, {8 * contents.stream.dtype.itemsize} bits."


def _origin(contents: Contents) -> str:
    generators = sorted(contents.generators or {contents.fact("generator")} - {""})
    trained = contents.fact("generator_data")
    seeds = sorted(map(str, contents.seeds)) or [contents.fact("seed") or "unknown"]
    lines = [
        f"- Generator (SHA-256 of its file): {_listed([f'`{name}`' for name in generators]) or 'unknown'}",
        f"- Trained on: {trained or 'not stated here; see the card of the generator'}",
        f"- Seed: {_listed(seeds)}",
        "- Each image names its generator, seed and index, from which the same pixels can be made again.",
    ]
    return "\n".join(lines)


def _gate(contents: Contents) -> str:
    return contents.fact("memorization_gate") or "Not checked for near copies of training images."


def _use(contents: Contents) -> str:
    use = "Training image classifiers in research."
    if not contents.number(made=True):
        return use
    return (
        f"{use} Synthetic images belong in training sets only. Whether they help is an empirical question: "
        "compare with the best classical augmentation on real images."
    )


def _limits(contents: Contents) -> str:
    lines = ["- Not for diagnosis and no medical device."]
    if contents.number(made=True):
        lines += [
            "- Synthetic images can show findings that no patient has, miss rare ones, and repeat the biases "
            "of the images the generator was trained on.",
            "- Metrics count on real test images only: never validate or test on synthetic ones.",
            "- The gate looks for near copies of training images; passing it is no proof of privacy.",
        ]
    return "\n".join(
        [*lines, "- Patients, where known, appear as pseudonyms; this is no proof of anonymity."]
    )


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MANY:,} more" if len(names) > MANY else ""
    return ", ".join(names[:MANY]) + more


def _cell(text: str) -> str:
    """Text that does not end a table's cell or a line."""
    return " ".join(text.replace("|", "\\|").split())
