"""The page of results: the protocol, three tables, and how to run it again."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import null_simulated_page
from null_experiment import CONFIG, TEST, VAL
from null_kinds import EFFECT, KINDS, Kind
from null_picture import LABELS, draw
from null_summary import CHOSEN, summary
from truth import BEST_AUROC, SIDE

Record = dict[str, Any]

NEAR_ZERO = 0.002  # AUROC

TITLE = "# Can the experiment be fooled?"
PICTURE = "![What every experiment found, and how many said that synthetic images help](../images/null.png)"

INTRODUCTION = """\
`synthaug experiment` on data whose truth is known: {experiments} experiments, each with a disease, patients
and random numbers of its own, through the same code as a user's (`conduct` trains, `compare_arms` concludes).
What stands in for the generator decides what the right answer is."""

FORMER = """\
Measured and judged before ratio and reference were chosen by the other subsets: differences of fixed ratios
stand, the ratio chosen on validation and the verdicts are those of the former rules."""

DATA = """\
**Data.** {side} px textures: white noise and, faintly, a smooth pattern drawn anew for each experiment,
added in abnormal images, subtracted in normal ones. The best possible AUROC is {best:.3f}; a classifier
stays below it for want of labels alone, so twice the labels are a true gain. (The built-in chest phantom is
no such instrument: at 16 px, networks that train in a tenth of a second reach AUROC .58 to .67 there with
40 labels and .59 to .71 with 320, so that hardly even real patients help.)"""

DESIGN = """\
**Classifier.** 4 thousand parameters, {steps} steps of {batch} images. **Design.** `--arms core`, {subsets}
labelled subsets of 32 images per class out of 320, ratios 0.1 and 0.5 and the one chosen on validation
(0, unless one is ahead by a standard error); {val} validation and {test} test images.
Shares have exact (Clopper–Pearson) 95 % intervals."""

NULLS = """\
The interval of *helps* is {bound} the 5 % that are promised. *Harms* is no error where the true change
(mean over the experiments ± its standard error) is below zero: noise, wrong labels and copies of one image
take the place of real ones in a training of fixed length, and do harm."""

SHARPER = """\
A sharper test is an arm that changes nothing, neither way. Where the mean change is within {near:g} of
zero, the arm's own 95 % interval, before Holm, lies above 0 (2.5 % are expected) in {arms}. Experiments in
which the chosen ratio was none for every subset are left out: there is no difference to test."""

TRUE = """\
Synthetic images are new patients of the same disease. On data apart ({n} experiments of {subsets} subsets)
ratio {ratio} is worth {most} AUROC, ratio {first} {least}."""

PLAN = """\
Each experiment trains a pilot of {pilot} subsets, asks the planner how many subsets find {effect:g} with 80
% power among 3 comparisons (median {median:g}, {least} to {most}{capped}) and grows to that number."""

FOUND = """\
*Helps*: **{helps}**; 80 % are promised. *Harms*: {harms}. The mean gain at ratio {ratio} was {gain}. More
are found than promised, as the planner takes the upper limit of the pilot's spread, and three arms have a
gain where it plans for one."""

COPIES = """\
480 normal and 80 abnormal labelled images. Synthetic images are copies of labelled ones, and blends fill
the rare class first: oversampling. Validation and test images have both classes in equal numbers. Where the
reference draws classes in balance already, copies move nothing."""

AGAIN = """\
`python studies/gain/null.py --work FOLDER --jobs 2`: {minutes:.0f} minutes of process time in all, on a
machine of {cores} cores that other work shared (one thread for each of `--jobs`; an experiment that is
finished is not run again). Every experiment's numbers: [null.json](null.json). Code: {commit}, with
`studies/gain/` as it stands beside this page."""


def write_page(records: Sequence[Record], simulated: Mapping[str, Sequence[Record]], out: Path) -> list[Path]:
    """results/null.md, its figures and its pictures in this folder; what was written."""
    page, facts = out / "results" / "null.md", out / "results" / "null.json"
    picture = out / "images" / "null.png"
    page.parent.mkdir(parents=True, exist_ok=True)
    found = summary(records)
    page.write_text(text(records, found, simulated))
    kept = {"summary": found, "experiments": [rounded(record) for record in records]}
    facts.write_text(json.dumps(kept, separators=(",", ":")).replace('{"kind"', '\n{"kind"') + "\n")
    draw(records, picture)
    return [page, facts, picture, *(null_simulated_page.write(simulated, out) if simulated else [])]


def text(records: Sequence[Record], found: Record, simulated: Mapping[str, Sequence[Record]]) -> str:
    known: Record = {"experiments": len(records), "side": SIDE, "best": BEST_AUROC}
    known |= {"subsets": KINDS["noise"].subsets}
    known |= {"steps": CONFIG.steps, "batch": CONFIG.batch_size, "val": sum(VAL), "test": sum(TEST)}
    parts = [TITLE, *null_simulated_page.section(simulated), "## Real trainings"]
    if any("choices" not in record for record in records):
        parts.append(filled(FORMER))
    parts += [filled(INTRODUCTION, **known), PICTURE, filled(DATA, **known), filled(DESIGN, **known)]
    if "null" in found:
        parts += ["## Nothing in the synthetic images: does it say *helps*?", *nulls(found)]
    if "planted effect" in found:
        parts += ["## A true gain: is it found?", *planted(found)]
    if "oversampling" in found:
        parts += ["## A moved threshold: is it taken for a gain?", *threshold(found["oversampling"])]
    minutes = sum(record["cpu_seconds"] for record in records) / 60
    commits = ", ".join(sorted({record["commit"] for record in records}))
    cores = max(record["cores"] for record in records)
    parts += ["## Run it again", filled(AGAIN, minutes=minutes, cores=cores, commit=commits)]
    return "\n\n".join(parts) + "\n"


def nulls(found: Record) -> list[str]:
    """Verdicts by kind, and what the arms truly change: the mean over all experiments of a kind."""
    kinds = [kind for kind in KINDS.values() if kind.part == "null" and kind.name in found]
    ratios = [f"{ratio:g}" for ratio in kinds[0].ratios]
    head = ["synthetic images", "*helps*", "*harms*"]
    head += [*(f"true change at {ratio}" for ratio in ratios), "ratio chosen"]
    rows = []
    for kind in kinds:
        ours = found[kind.name]
        changes = [signed(ours["changes"][arm]) for arm in (*ratios, CHOSEN)]
        rows.append([LABELS[kind.name], words(ours["helps"]), words(ours["harms"]), *changes])
    every = found["null"]
    rows.append(["**all**", f"**{words(every['helps'])}**", words(every["harms"]), "", "", ""])
    bound = "within" if every["helps"]["high"] <= 0.05 else "not shown to be within"
    others = [kind for kind in KINDS.values() if kind.part == "threshold" and kind.name in found]
    return [table(head, rows), filled(NULLS, bound=bound), *sharper(found, [*kinds, *others])]


def sharper(found: Record, kinds: Sequence[Kind]) -> list[str]:
    """Where the true change is next to zero, the intervals themselves are put to the test."""
    arms = []
    for kind in kinds:
        ours = found[kind.name]
        for arm, change in ours["changes"].items():
            above = ours["plain intervals above 0"].get(arm)
            if abs(change["mean"]) < NEAR_ZERO and above is not None:
                arms.append(f"{LABELS[kind.name]}, ratio {arm}: {words(above)}")
    return [filled(SHARPER, near=NEAR_ZERO, arms="; ".join(arms))] if arms else []


def planted(found: Record) -> list[str]:
    """The planner's promise."""
    ours, kind, parts = found["planted effect"], KINDS["planted effect"], []
    first, ratio = (f"{each:g}" for each in kind.ratios)
    if "calibration" in found:
        true = found["calibration"]["changes"]
        known = {"n": true[ratio]["n"], "subsets": KINDS["calibration"].subsets}
        known |= {"ratio": ratio, "first": first}
        parts.append(filled(TRUE, most=signed(true[ratio]), least=signed(true[first]), **known))
    capped = f", {ours['capped']} of them cut to fewer" if ours["capped"] else ""
    parts.append(filled(PLAN, pilot=kind.subsets, effect=EFFECT, capped=capped, **ours["needed"]))
    gain = signed(ours["changes"][ratio])
    parts.append(
        filled(FOUND, helps=words(ours["helps"]), harms=words(ours["harms"]), ratio=ratio, gain=gain)
    )
    return parts


def threshold(found: Record) -> list[str]:
    """The fake gain beside the verdict."""
    head = ["synthetic share", "sensitivity at 0.5", "balanced accuracy at 0.5"]
    head += ["a paired t test of it says *better*", "balanced accuracy, tuned threshold", "AUROC"]
    rows = []
    for arm in [f"{ratio:g}" for ratio in KINDS["oversampling"].ratios]:
        seen = found["at 0.5"][arm]
        rises = [signed(seen[name]) for name in ("sensitivity", "balanced_accuracy")]
        tuned = signed(seen["tuned_balanced_accuracy"])
        rows.append([arm, *rises, words(seen["called a gain"]), tuned, signed(found["changes"][arm])])
    references = ", ".join(f"`{name}` in {n}" for name, n in found["references"].items())
    said = f"The verdict: *helps* in **{words(found['helps'])}**, *harms* in {words(found['harms'])}"
    return [filled(COPIES), table(head, rows), filled(f"{said} (reference: {references}).")]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def words(found: Record) -> str:
    """A share with its exact interval."""
    low, high = 100 * found["low"], 100 * found["high"]
    return f"{found['found']} of {found['of']} ({100 * found['share']:.1f} % [{low:.1f}, {high:.1f}])"


def signed(found: Record) -> str:
    """A mean and its standard error, where it has one."""
    error = "" if found["standard_error"] is None else f" ± {found['standard_error']:.4f}"
    return f"{found['mean']:+.4f}".replace("-", "−") + error


def filled(template: str, **known: Any) -> str:
    """A paragraph with its numbers, in lines of one width."""
    return fill(template.format(**known), 118, break_long_words=False, break_on_hyphens=False)


def rounded(record: Any) -> Any:
    """Five decimals are enough for a file that people download."""
    if isinstance(record, dict):
        return {key: rounded(value) for key, value in record.items()}
    return round(record, 5) if isinstance(record, float) else record
