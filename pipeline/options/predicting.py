"""Flags: which images are to be named, by what, and what becomes of the names."""

# No `from __future__ import annotations`: the flags are read from the annotations themselves.

from pathlib import Path
from typing import Annotated

import typer

from pipeline.options.flags import CLASSIFIER, MACHINE, NETWORK, OUTPUT, PLACE, option

GivenArg = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH",
        help="Images, folders, a CSV or JSONL file with a column of paths, or - for a list of "
        "paths on stdin.",
        show_default=False,
    ),
]
ByFitArg = Annotated[
    Path | None,
    option("--fit", PLACE, "A folder made by fit.", "FIT", default="the newest"),
]
ImagenetArg = Annotated[
    bool,
    option(
        "--imagenet",
        NETWORK,
        "Ask no fit: the whole network --model (efficientnet-lite0 by default) names ImageNet's "
        "1,000 classes.",
    ),
]
TopkArg = Annotated[
    int | None,
    option(
        "--topk",
        OUTPUT,
        "Name this many classes, the most probable first.",
        "N",
        default="1, with --imagenet 3",
    ),
]
AnswerFormatArg = Annotated[
    str | None,
    option(
        "--format",
        OUTPUT,
        "How answers are written; CSV and JSON lines come as they are made.",
        "table|csv|jsonl",
        default="table, or by the name of --to",
    ),
]
AnswersToArg = Annotated[
    Path | None,
    option("--to", OUTPUT, "Write the answers to this file, as CSV or JSON lines.", "FILE"),
]
ForceArg = Annotated[
    bool,
    option(
        "--force",
        CLASSIFIER,
        "Use the fit although another scikit-learn wrote it, or it missed what was demanded.",
    ),
]
FitWeightsArg = Annotated[
    str | None,
    option(
        "--weights",
        NETWORK,
        "Where the network's weights lie now.",
        "imagenet|random|FILE",
        default="as at the extraction",
    ),
]
FitDeviceArg = Annotated[
    str | None,
    option(
        "--device",
        MACHINE,
        "What the network runs on.",
        "auto|cpu|gpu|gpu:N",
        default="as at the extraction",
    ),
]
FitBatchSizeArg = Annotated[
    int | None,
    option(
        "--batch-size",
        MACHINE,
        "Images that go through the network at once.",
        "N",
        default="as at the extraction",
    ),
]
FitWorkersArg = Annotated[
    int | None,
    option("--workers", MACHINE, "Threads that decode images.", "N", default="one a core"),
]
ExplainToArg = Annotated[
    Path | None,
    option(
        "--explain",
        OUTPUT,
        "Also lay over each photo what spoke for its answer, as pictures in this folder.",
        "DIR",
    ),
]
GridToArg = Annotated[
    Path | None,
    option(
        "--grid",
        OUTPUT,
        "Also draw the pictures with their names, as PNG or SVG by its name.",
        "FILE",
    ),
]
CopyToArg = Annotated[
    Path | None,
    option(
        "--copy-to",
        OUTPUT,
        "Also copy each photo into a folder in here that is called like its answer.",
        "DIR",
    ),
]
RejectArg = Annotated[
    bool,
    option(
        "--reject",
        CLASSIFIER,
        "Call images unknown that are unlike the training images.",
    ),
]
RejectByArg = Annotated[
    str | None,
    option(
        "--reject-by",
        CLASSIFIER,
        "How that is measured; implies --reject.",
        "knn|mahalanobis",
        default="knn",
    ),
]
KeepArg = Annotated[
    float | None,
    option(
        "--keep",
        CLASSIFIER,
        "Share of images like the training images that --reject lets pass; implies --reject.",
        "SHARE",
        default="0.95",
    ),
]
CoverageArg = Annotated[
    float | None,
    option(
        "--coverage",
        CLASSIFIER,
        "Also give a set of classes, which holds the right one for this share of images.",
        "SHARE",
    ),
]
