"""Flags: which images, and what becomes of their shape."""

# No `from __future__ import annotations`: the flags are read from the annotations themselves.

from pathlib import Path
from typing import Annotated

from pipeline.config import RESIZES
from pipeline.options.flags import IMAGES, choices, option

DatasetArg = Annotated[
    str,
    option(
        "--dataset",
        IMAGES,
        "A name (see `pipeline datasets`), a folder of class folders, or a CSV/JSONL file.",
        "NAME|FOLDER|FILE",
    ),
]
DataDirArg = Annotated[
    Path, option("--data-dir", IMAGES, "Where named data sets lie or are downloaded to.", "DIR")
]
LabelColumnArg = Annotated[
    str | None,
    option("--label-column", IMAGES, "The CSV/JSONL column that holds the label.", "NAME"),
]
LimitArg = Annotated[
    int | None,
    option("--limit", IMAGES, "Take only N images, spread evenly over the classes.", "N"),
]
ImageSizeArg = Annotated[
    int | None,
    option("--image-size", IMAGES, "Side of the input in pixels.", "N", default="the model's"),
]
ResizeArg = Annotated[
    str | None,
    option(
        "--resize",
        IMAGES,
        "How a photo becomes square: cut out its centre, squash it, or pad it.",
        choices(RESIZES),
        default="the model's",
    ),
]
StrictArg = Annotated[
    bool, option("--strict", IMAGES, "Exit with code 4 if any image was skipped.")
]
