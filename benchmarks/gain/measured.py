"""What is measured on real data: one entry per experiment; its command says all that there is to it."""

from dataclasses import dataclass

# The recipient has some of the labels of its half of the patients; the donor has the other half.
DONOR = "--scenario donor --donors 3 --seeds 4 --ratios 0.25,0.5,0.75"


@dataclass(frozen=True)
class Measured:
    """One `synthaug experiment`.

    Attributes:
        heading: on the page.
        question: in a sentence or two.
        command: its options, but for --data-root, --out and --jobs.
        target: what was aimed at before the first run, in words.
        least: smallest gain in AUROC that meets it, with the interval above half of that.
    """

    heading: str
    question: str
    command: str
    target: str
    least: float


EXPERIMENTS = {
    "ham10000-donor": Measured(
        "Skin lesions, a donor with the other half of the lesions",
        "Seven classes, 32 px, HAM10000 by lesion. Does a shared generator help a site that has 5 or 10 % of "
        "its half's labels?",
        f"--dataset ham10000 --size 32 {DONOR} --fractions 0.05,0.1 --generator-steps 20000",
        "a gain of at least .02, the interval above .01",
        0.02,
    ),
    "chest-donor": Measured(
        "Chest radiographs, a donor with half of the patients",
        "Normal or abnormal, 32 px, a piece of ChestX-ray14 by patient.",
        f"--dataset chest-xray-folder --size 32 {DONOR} --fractions 0.1,0.3 --generator-steps 10000",
        "a gain, the interval above 0",
        0.0,
    ),
    "chest-cross": Measured(
        "Chest radiographs, a donor of another country, age and finding",
        "The generator learns from adults, normal or abnormal (ChestX-ray14 piece), the classifier tells "
        "children's pneumonia (Kermany), 32 px: the donor's own classifier is no substitute here.",
        "--dataset chest-xray-pneumonia --size 32 --scenario donor --donor chest-xray-folder "
        "--donor-class normal=NORMAL --donor-class abnormal=PNEUMONIA --seeds 8 --fractions 0.01,0.05 "
        "--ratios 0.25,0.5,0.75 --generator-steps 10000",
        "a gain, the interval above 0",
        0.0,
    ),
    "mednist-few": Measured(
        "MedNIST, 1 to 10 labelled images of every class",
        "Six classes, 32 px; the donor has half of the images.",
        f"--dataset mednist --size 32 {DONOR} --labels-per-class 1,2,5,10 --generator-steps 10000",
        "a gain, the interval above 0",
        0.0,
    ),
}
