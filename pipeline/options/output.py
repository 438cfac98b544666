"""Flags: what comes out, and where."""

# No `from __future__ import annotations`: the flags are read from the annotations themselves.

from pathlib import Path
from typing import Annotated

import typer

from pipeline.options.flags import NETWORK, OUTPUT, PLACE, option

DryRunArg = Annotated[
    bool,
    option(
        "--dry-run",
        OUTPUT,
        "Decode every image, time one batch, say what it would cost, and write nothing.",
    ),
]
OverwriteArg = Annotated[bool, option("--overwrite", OUTPUT, "Compute it again if it is there.")]
OnlyDatasetArg = Annotated[
    str | None, option("--dataset", PLACE, "Only stores of this data set.", "NAME")
]
OnlyModelArg = Annotated[str | None, option("--model", PLACE, "Only stores of this model.", "NAME")]
SupersededArg = Annotated[
    bool,
    option(
        "--superseded",
        PLACE,
        "Also complete stores for which a newer one of the same recipe stands in, and their fits.",
    ),
]
ListOnlyArg = Annotated[bool, option("--dry-run", OUTPUT, "Say what would go, remove nothing.")]
ToArg = Annotated[Path, option("--to", OUTPUT, "The file to write; for npy the folder.", "PATH")]
FormatArg = Annotated[
    str | None,
    option(
        "--format",
        OUTPUT,
        "What to write.",
        "npy|csv|parquet",
        default="by the name of PATH, else npy",
    ),
]
ReplaceArg = Annotated[
    bool,
    option(
        "--overwrite",
        OUTPUT,
        "Replace the file, or the folder of an earlier export, that is there.",
    ),
]
JsonArg = Annotated[bool, option("--json", OUTPUT, "Print one JSON object instead.")]
PageArg = Annotated[
    bool,
    option(
        "--html/--no-html",
        OUTPUT,
        "Also make report.html: one file with all there is to see, to look at or to mail.",
    ),
]
HtmlArg = Annotated[
    bool,
    option(
        "--html",
        OUTPUT,
        "Also make a page: one HTML file with all there is to see, to look at or to mail.",
    ),
]
HtmlToArg = Annotated[
    Path | None,
    option("--to", OUTPUT, "Make the page here instead; implies --html.", "FILE"),
]
TsneArg = Annotated[
    bool,
    option(
        "--tsne/--no-tsne",
        OUTPUT,
        "In the page and the figures: a t-SNE map, too, and UMAP's if umap-learn is installed.",
    ),
]
ExplainArg = Annotated[
    bool,
    option(
        "--explain/--no-explain",
        OUTPUT,
        "In the page: lay over the mistakes what spoke for the answer, where that can be told.",
    ),
]
FigureToArg = Annotated[
    Path | None,
    option(
        "--to",
        OUTPUT,
        "The file to write, as PNG or SVG by its name.",
        "FILE",
        default="DATASET-WHAT.png here",
    ),
]
FiguresArg = Annotated[
    Path | None,
    option("--figures", OUTPUT, "Also make figures for a paper here, as PNG and SVG.", "DIR"),
]
QuietArg = Annotated[
    bool, option("--quiet", OUTPUT, "Print no progress and no notes, only the result.")
]
ModelsArg = Annotated[
    str, option("--models", NETWORK, "The headless CNNs, separated by commas.", "NAME,NAME")
]
SweepToArg = Annotated[
    Path | None,
    option(
        "--to", OUTPUT, "Also write the table to this file, as CSV or JSON by its name.", "FILE"
    ),
]
FitsArg = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="FIT...",
        help="Folders made by fit.",
        show_default="all of the newest fit's store with the same split",
    ),
]
