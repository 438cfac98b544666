"""Flags: the classifier, the split, and what a fit must reach."""

# No `from __future__ import annotations`: the flags are read from the annotations themselves.

from typing import Annotated

from pipeline.config import CLASSIFIERS, SPLITS
from pipeline.options.flags import CLASSIFIER, OUTPUT, SPLIT, choices, option

ClfArg = Annotated[
    str,
    option(
        "--clf",
        CLASSIFIER,
        f"The classifier: {', '.join(CLASSIFIERS)}, or all of them, one after the other.",
        "NAME|all",
    ),
]
CArg = Annotated[
    float | None,
    option(
        "--C",
        CLASSIFIER,
        "Inverse strength of regularisation, of logreg, svm and linear-svm.",
        "C",
        default="tuned",
    ),
]
TuneArg = Annotated[
    bool,
    option(
        "--tune/--no-tune",
        CLASSIFIER,
        "Choose C, or what the classifier has in its place, by cross-validation on the training "
        "images.",
    ),
]
ClassWeightArg = Annotated[
    str | None,
    option("--class-weight", CLASSIFIER, "Count rare classes as much as common ones.", "balanced"),
]
SplitArg = Annotated[
    str,
    option(
        "--split",
        SPLIT,
        "stratified draws the same share of each class; stable goes by each image's content, so "
        "that adding images moves none. A split of the data set's own is always kept.",
        choices(SPLITS),
    ),
]
TestSizeArg = Annotated[
    float,
    option(
        "--test-size",
        SPLIT,
        "Share of the images to test on, where the data set has no split of its own.",
        "SHARE",
    ),
]
GroupByArg = Annotated[
    str | None,
    option(
        "--group-by",
        SPLIT,
        "Keep images of one group (patient, scene, camera) on one side: a column of the data set's "
        "table, or a regular expression for paths, whose (parentheses) are the group.",
        "COLUMN|REGEX",
    ),
]
ShotsArg = Annotated[
    int | None, option("--shots", SPLIT, "Train on at most N images of each class.", "N")
]
CvArg = Annotated[
    int | None,
    option(
        "--cv",
        SPLIT,
        "Also cross-validate all of it, tuning included, on the training images, in K folds.",
        "K",
    ),
]
SeedArg = Annotated[int, option("--seed", SPLIT, "Decides the split and everything random.", "N")]
LearningCurveArg = Annotated[
    bool,
    option(
        "--learning-curve",
        CLASSIFIER,
        "Also measure how the accuracy grows with the training images, and forecast it.",
    ),
]
StreamArg = Annotated[
    bool | None,
    option(
        "--stream/--no-stream",
        CLASSIFIER,
        "Fit block by block, with values that do not fit into the memory; not svm and knn.",
        default="when they exceed half of the free memory",
    ),
]
MinAccuracyArg = Annotated[
    float | None,
    option("--min-accuracy", OUTPUT, "Exit with code 3 if the accuracy is below this.", "SHARE"),
]
MinRecallArg = Annotated[
    list[str] | None,
    option(
        "--min-recall",
        OUTPUT,
        "Exit with code 3 if the recall of a class is below this; may be given more than once.",
        "CLASS=SHARE",
    ),
]
