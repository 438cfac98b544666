"""Flags: which store or fit a command is about."""

# No `from __future__ import annotations`: the flags are read from the annotations themselves.

from pathlib import Path
from typing import Annotated

import typer

from pipeline.options.flags import OUTPUT, PLACE, option

CacheDirArg = Annotated[
    Path, option("--cache-dir", PLACE, "Where stores and fits are kept.", "DIR")
]
OfDatasetArg = Annotated[
    str | None, option("--dataset", PLACE, "The newest one of this data set.", "NAME")
]
OfModelArg = Annotated[
    str | None, option("--model", PLACE, "The newest one of this model.", "NAME")
]
OfClfArg = Annotated[
    str | None, option("--clf", PLACE, "The newest one of this classifier.", "NAME")
]
StoreArg = Annotated[
    Path | None,
    typer.Argument(metavar="STORE", help="A store made by extract.", show_default="the newest"),
]
VerifiedStoreArg = Annotated[
    str | None,
    typer.Argument(
        metavar="STORE", help="Its path, file name, or how its key begins.", show_default="all"
    ),
]
RepairArg = Annotated[
    bool,
    option(
        "--repair",
        OUTPUT,
        "Compute again, from the data set they came from, blocks that are damaged or missing.",
    ),
]
StoreNameArg = Annotated[
    str | None,
    typer.Argument(
        metavar="STORE",
        help="A store's path, name, or the beginning of its key, as `pipeline cache ls` has them.",
        show_default="the newest",
    ),
]
OldStoreArg = Annotated[
    str, typer.Argument(metavar="A", help="The old store: path, name, or beginning of the key.")
]
NewStoreArg = Annotated[
    str, typer.Argument(metavar="B", help="The new store: path, name, or beginning of the key.")
]
FitArg = Annotated[
    Path | None,
    typer.Argument(metavar="FIT", help="A folder made by fit.", show_default="the newest"),
]

PlottedStoreArg = Annotated[
    str | None,
    option(
        "--cache",
        PLACE,
        "The store of transfer values: path, name, or beginning of its key.",
        "STORE",
        default="the store that was used last",
    ),
]
ImagePathArg = Annotated[
    str | None,
    option("--image", PLACE, "Path of the image as the store has it.", "PATH", default="the first"),
]
NImagesArg = Annotated[int, option("--limit", PLACE, "How many images.", "N")]
MaxPointsArg = Annotated[
    int, option("--limit", PLACE, "Of more images than these, take a part by lot.", "N")
]
