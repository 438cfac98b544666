"""Flags: what a network runs on, and how values are kept."""

# No `from __future__ import annotations`: the flags are read from the annotations themselves.

from typing import Annotated

from pipeline.config import DTYPES, PRECISIONS
from pipeline.options.flags import MACHINE, choices, option

BatchSizeArg = Annotated[
    str,
    option(
        "--batch-size",
        MACHINE,
        "Images that go through the network at once; halved when the memory is full.",
        "auto|N",
    ),
]
WorkersArg = Annotated[
    str,
    option("--workers", MACHINE, "Threads that decode images; auto is one a core.", "auto|N"),
]
DeviceArg = Annotated[
    str,
    option(
        "--device",
        MACHINE,
        "auto takes a GPU where there is one, else the CPU.",
        "auto|cpu|gpu|gpu:N",
    ),
]
PrecisionArg = Annotated[
    str,
    option(
        "--precision",
        MACHINE,
        "What the network computes in; auto takes the fastest there is.",
        choices(PRECISIONS),
    ),
]
MaxTimeArg = Annotated[
    str | None,
    option(
        "--max-time",
        MACHINE,
        "Stop between two blocks after this time, with exit code 124; the same command goes on.",
        "2h|30m|90s",
    ),
]
DtypeArg = Annotated[
    str, option("--dtype", MACHINE, "What the values are stored as.", choices(DTYPES))
]
