"""What is measured on real data: one entry per experiment; its command says all that there is to it."""

from dataclasses import dataclass

# The recipient has some of the labels of its half of the patients; the donor has the other half.
DONOR = "--scenario donor --donors 3"
RATIOS = "--ratios 0.25,0.5,0.75"


@dataclass(frozen=True)
class Measured:
    """One `synthaug experiment`.

    Attributes:
        heading: on the page.
        question: in a sentence or two.
        command: its options, but for --data-root, --out and --jobs.
        target: what was aimed at before the first run, in words.
        least: smallest gain in AUROC that meets it, with the interval above half of that.
        own: the generator knows the recipient's own labelled images only; shown together (own.py).
    """

    heading: str
    question: str
    command: str
    target: str
    least: float
    own: bool = False


def own_data(name: str, options: str, rare: str) -> dict[str, Measured]:
    """Two experiments on a data set: with shares of its labels, and with one class cut to 5 %."""
    every = f"{options} --seeds 3 --arms core --ratios 0.25,0.5 --steps 300 --generator-steps 2000"
    target = (
        "the ratio chosen on validation images changes the mean AUROC by no less than -.003 in every cell"
    )
    question = "A generator trained on the classifier's own labelled images."
    return {
        f"own-{name}": Measured(
            f"{name}, own labels",
            question,
            f"--dataset {every.replace('--seeds', '--fractions 0.05,0.1,0.2,0.5,1 --seeds')}",
            target,
            -0.003,
            own=True,
        ),
        f"own-{name}-rare": Measured(
            f"{name}, own labels, {rare.split('=')[0]} cut to 5 %",
            question,
            f"--dataset {every.replace('--seeds', f'--rare-class {rare} --seeds')}",
            target,
            -0.003,
            own=True,
        ),
    }


EXPERIMENTS = {
    "ham10000-donor": Measured(
        "Skin lesions, a donor with the other half of the lesions",
        "Seven classes, 32 px, HAM10000 by lesion. Does a shared generator help a site that has 5 or 10 % of "
        "its half's labels?",
        f"--dataset ham10000 --size 32 {DONOR} {RATIOS} --seeds 4 --fractions 0.05,0.1 "
        "--generator-steps 20000",
        "a gain of at least .02, the interval above .01",
        0.02,
    ),
    "ham10000-donor-long": Measured(
        "Skin lesions, the same donors, classifiers of three times the steps",
        "Would a longer training narrow the gap? The first subset of each donor, 1,500 steps for every arm.",
        f"--dataset ham10000 --size 32 {DONOR} --ratios 0.75 --seeds 1 --fractions 0.1 "
        "--steps 1500 --generator-steps 20000",
        "a gain of at least .02, the interval above .01",
        0.02,
    ),
    "chest-donor": Measured(
        "Chest radiographs, a donor with half of the patients",
        "Normal or abnormal, 32 px, a piece of ChestX-ray14 by patient.",
        f"--dataset chest-xray-folder --size 32 {DONOR} {RATIOS} --seeds 2 --fractions 0.1,0.3 "
        "--generator-steps 10000",
        "a gain, the interval above 0",
        0.0,
    ),
    "chest-cross": Measured(
        "Chest radiographs, a donor of another country, age and finding",
        "The generator learns from adults, normal or abnormal (ChestX-ray14 piece), the classifier tells "
        "children's pneumonia (Kermany), 32 px: the donor's own classifier is no substitute here.",
        "--dataset chest-xray-pneumonia --size 32 --scenario donor --donor chest-xray-folder "
        "--donor-class normal=NORMAL --donor-class abnormal=PNEUMONIA --seeds 8 --fractions 0.01,0.05 "
        f"{RATIOS} --generator-steps 10000",
        "a gain, the interval above 0",
        0.0,
    ),
    "chest-cross-size": Measured(
        "Chest radiographs, the same recipient, a generator of another image size",
        "As before, but the generator is the chest-xray that shipped at first: 64 px, a residual "
        "pair. The recipient's classifiers take 32 px. The donor's images train a classifier of that size to "
        "compete.",
        "--dataset chest-xray-pneumonia --size 32 --scenario donor --donor chest-xray-folder "
        "--generator chest-xray --donor-class normal=NORMAL --donor-class abnormal=PNEUMONIA --seeds 8 "
        f"--fractions 0.01,0.05 {RATIOS}",
        "a gain, the interval above 0",
        0.0,
    ),
    "mednist-few": Measured(
        "MedNIST, 1 to 10 labelled images of every class",
        "Six classes, 32 px; the donor has half of the images.",
        f"--dataset mednist --size 32 {DONOR} {RATIOS} --seeds 2 --labels-per-class 1,2,5,10 "
        "--steps 300 --generator-steps 10000",
        "a gain, the interval above 0",
        0.0,
    ),
    **own_data("pneumoniamnist", "pneumoniamnist", "normal=0.05"),
    **own_data("chest-xray-folder", "chest-xray-folder --size 32", "abnormal=0.05"),
    **own_data("skin-lesions", "skin-lesions --size 32", "malignant=0.05"),
    **own_data("ham10000", "ham10000 --size 32", "mel=0.05"),
}
