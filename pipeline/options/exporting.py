"""Flags: what a fit is written as, and where."""

# No `from __future__ import annotations`: the flags are read from the annotations themselves.

from pathlib import Path
from typing import Annotated

from pipeline.config import EXPORTS
from pipeline.options.flags import OUTPUT, choices, option

ExportFormatArg = Annotated[
    str | None,
    option(
        "--format",
        OUTPUT,
        "What to write; npz is the weights of a linear classifier alone.",
        choices(tuple(EXPORTS)),
        default="by the name of --to, else keras",
    ),
]
ExportToArg = Annotated[
    Path | None,
    option(
        "--to", OUTPUT, "The file to write.", "FILE", default="DATASET-CLF with the format's suffix"
    ),
]
ExportOverwriteArg = Annotated[
    bool, option("--overwrite", OUTPUT, "Replace the file that is there.")
]
SelfCheckArg = Annotated[
    bool,
    option(
        "--check/--no-check",
        OUTPUT,
        "Compare the file's answers with predict's on 32 cached images, and keep it only if they "
        "are the same.",
    ),
]
ToleranceArg = Annotated[
    float,
    option("--tolerance", OUTPUT, "How far a probability may be off in that comparison.", "SHARE"),
]
