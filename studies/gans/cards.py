"""The measured part of the shipped generators' cards, made again.

    python studies/gans/cards.py mednist pneumonia --data-root DIR --inception-weights FILE --out FOLDER

Runs `synthaug generate` and `synthaug evaluate` as a user would, asks the domain classifier for the class of
every image, prints what the card says as Markdown and keeps the numbers in FOLDER/NAME.json. Reference: real
training images. Floor: real validation images in the synthetic ones' place. The test split is not looked at.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan_pages import short
from scoring import is_taken_for_its_class
from train import one_thread

from synthaug.augment.datasets.load import load_dataset
from synthaug.augment.files.atomic import replacing
from synthaug.augment.formats.registry import read_images
from synthaug.augment.images import LabeledImages
from synthaug.augment.reading import ReadOptions
from synthaug.evaluation.fidelity.extractors import extractors_for

COLUMNS = {"FID": "↓", "KID": "↓", "precision": "↑", "recall": "↑", "coverage": "↑"}
EXTRACTORS = ("domain", "inception-768")
KEPT = ("metric", "part", "protocol", "value", "floor", "n", "n_reference", "note")  # of every score

Facts = dict[str, Any]


@dataclass(frozen=True)
class Shipped:
    """What a generator is judged with.

    Attributes:
        dataset: that it learnt from; `size` in pixels where the data have several.
        per_class: images that are made.
        at_most: images per set that are scored.
    """

    dataset: str
    per_class: int
    size: int | None = None
    at_most: int = 10_000

    def generate(self, name: str) -> list[str]:
        """The command that makes the images."""
        made = ["generate", "--generator", name, "--per-class", str(self.per_class), "--out", f"{name}.h5"]
        return [*made, "--reject-near-copies"]

    def evaluate(self, name: str) -> list[str]:
        """The command that judges them; where Inception's weights are is left to the caller."""
        size = [] if self.size is None else ["--size", str(self.size)]
        judged = ["evaluate", "--real", self.dataset, *size, "--synthetic", f"{name}.h5"]
        few = [] if self.at_most == Shipped.at_most else ["--at-most", str(self.at_most)]
        return [*judged, "--extractor", ",".join(EXTRACTORS), *few]


SHIPPED = {
    "chest-xray": Shipped("chestmnist", 500, size=64),
    "mednist": Shipped("mednist", 1000, at_most=2000),  # Inception takes a sixth of a second per image
    "pneumonia": Shipped("pneumoniamnist", 500),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="+", choices=list(SHIPPED))
    for option in ("--data-root", "--inception-weights", "--out"):
        parser.add_argument(option, type=Path, required=True)
    asked = parser.parse_args()
    for name in asked.names:
        facts = measured(name, asked.data_root.resolve(), asked.inception_weights.resolve())
        print(f"## {name}\n\n{card(facts)}\n", flush=True)
        with replacing(asked.out / f"{name}.json") as fresh:
            fresh.write_text(json.dumps(facts, indent=1) + "\n")


def measured(name: str, data_root: Path, inception: Path) -> Facts:
    """What the two commands and the domain classifier say."""
    shipped = SHIPPED[name]
    where = ["--data-root", str(data_root)]
    with tempfile.TemporaryDirectory() as folder:
        made = synthaug([*shipped.generate(name), *where], folder)
        found = synthaug([*shipped.evaluate(name), "--inception-weights", str(inception), *where], folder)
        images = read_images(Path(folder) / f"{name}.h5")
    return {
        "commands": ["synthaug " + " ".join(c) for c in (shipped.generate(name), shipped.evaluate(name))],
        "generator": made["generator"],
        "memorization_gate": made["memorization_gate"],
        "light": found["light"],
        "assessment": found["assessment"],
        "findings": found["findings"],
        "memorization": found["memorization"]["sentence"],
        "asked_class": asked_class(images, shipped, data_root),
        "scores": [{key: score[key] for key in KEPT} for score in found["fidelity"]],
    }


def synthaug(arguments: list[str], folder: str) -> Facts:
    """What the command line says of itself as JSON; exit status 3, a gate that failed, is a finding too."""
    command = [str(Path(sys.executable).with_name("synthaug")), *arguments, "--json"]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in (0, 3):
        raise SystemExit(f"{' '.join(command)}: exit status {done.returncode}")
    facts: Facts = json.loads(done.stdout)
    return facts


def asked_class(images: LabeledImages, shipped: Shipped, data_root: Path) -> Facts:
    """Share of the images that the domain classifier gives the class asked for, and of real ones."""
    splits = load_dataset(shipped.dataset, ReadOptions(root=data_root, size=shipped.size))
    (domain,) = extractors_for(["domain"], splits, fabric=one_thread())
    shares: Facts = {}
    for which, part in (("synthetic", images), ("floor", splits.val)):
        right = is_taken_for_its_class(part, domain, splits.class_names)
        shares[which] = {"share": float(right.mean()), "n": len(part)}
    return shares


def card(facts: Facts) -> str:
    """The card's table and what it says below."""
    head = ["value (floor)", "n", *(f"{metric} {better}" for metric, better in COLUMNS.items())]
    lines: list[list[str]] = []
    for extractor in EXTRACTORS:
        of_extractor = [s for s in facts["scores"] if s["protocol"]["name"] == extractor]
        for part in dict.fromkeys(score["part"] for score in of_extractor):
            found = {score["metric"]: score for score in of_extractor if score["part"] == part}
            pairs = [(found[m]["value"]["value"], found[m]["floor"]["value"]) for m in COLUMNS]
            numbers = [f"{short(value)} ({short(floor)})" for value, floor in pairs]
            lines.append([f"{extractor}, {part}", f"{found['KID']['n']:,}", *numbers])
    shares = [f"{s['share']:.1%} of {s['n']:,}" for s in facts["asked_class"].values()]
    said = [
        f"Asked class, by a classifier of real images: {shares[0]}; of real validation images {shares[1]}.",
        facts["memorization"],
        f"Light of `evaluate`: {facts['light']}. {facts['assessment']}",
        *(f"{f['name']} ({f['part']}): {f['evidence']}." for f in facts["findings"]),
        f"`{'; '.join(facts['commands'])}`, with `--inception-weights FILE`",
    ]
    head_line, *rest = (f"| {' | '.join(line)} |" for line in [head, *lines])
    table = "\n".join([head_line, "|" + "---|" * len(head), *rest])
    return "\n".join([table, "", *(f"- {line}" for line in said)])


if __name__ == "__main__":
    main()
