"""The list of a store's skipped images, beside it."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.durable import remove, write_file
from pipeline.records import Status, csv_path


def skipped_csv(store: Path) -> Path:
    """Return where a store's skipped images are listed."""
    return store.with_suffix(".skipped.csv")


def write_skipped(store: Path, paths: tuple[str, ...], status: NDArray[np.uint8]) -> None:
    """List the skipped rows of a store beside it, with columns path and reason, if there are any.

    The file is `skipped_csv(store)`.
    """
    listed = skipped_csv(store)
    rows = np.flatnonzero(status != Status.OK)
    if not len(rows):
        if listed.exists():
            remove(listed)
        return
    text = io.StringIO(newline="")
    lines = csv.writer(text)
    lines.writerow(["path", "reason"])
    lines.writerows([csv_path(paths[i]), Status(status[i]).reason] for i in rows)
    write_file(listed, text.getvalue().encode("utf-8", "surrogateescape"))


def read_skipped(store: Path) -> tuple[tuple[str, str], ...] | None:
    """Return path and reason of each image in the list of a store; None if it cannot be read."""
    try:
        raw = skipped_csv(store).read_bytes()
    except OSError:
        return None
    lines = csv.reader(io.StringIO(raw.decode("utf-8", "surrogateescape"), newline=""))
    return tuple((row[0].removeprefix("./"), row[1]) for row in lines if len(row) == 2)[1:]
