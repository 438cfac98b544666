"""Writing tuned weights so that a kill at any moment leaves none, or all of them."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.durable import partial_path, remove, replace_folder, write_file
from pipeline.records import Epoch, TunedNetwork, csv_path, hash_json
from pipeline.tuned.folder import HISTORY, IMAGES, INFO, WEIGHTS

FORMAT = "transfer-values finetune"
FORMAT_VERSION = 1


def save_tuned(
    folder: Path,
    tuned: TunedNetwork,
    *,
    weights: bytes,
    images: bytes,
    drawn: Mapping[str, bytes],
) -> None:
    """Write the folder of tuned weights: built beside its place, flushed, then renamed into it.

    Parameters
    ----------
    folder : Path
        From `tuned_path`; its lock is held.
    tuned : TunedNetwork
    weights : bytes
        The content of the weights file.
    images : bytes
        From `images_csv`.
    drawn : mapping of str to bytes
        The curves, by file name.

    Raises
    ------
    OSError
        If it cannot be written. Nothing half made is left behind, and an older folder stays.
    """
    contents = {WEIGHTS: weights, IMAGES: images, HISTORY: history_csv(tuned.history), **drawn}
    files = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    info = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        **tuned.to_dict(),
        "files": files,
    }
    contents[INFO] = json.dumps({**info, "sha256": hash_json(info)}, indent=1).encode()
    building = partial_path(folder)
    try:
        for left in folder.parent.glob(f".{folder.name}.*.partial"):  # of a killed process
            remove(left)
        for name, content in contents.items():
            write_file(building / name, content)
        replace_folder(building, folder)
    except BaseException:
        with contextlib.suppress(OSError):
            remove(building)
        raise


def images_csv(
    paths: Sequence[str], sha256: NDArray[np.uint8], rows: Mapping[str, NDArray[np.intp]]
) -> bytes:
    """Return the content of images.csv.

    Parameters
    ----------
    paths : sequence of str
    sha256 : uint8 ndarray of shape (n_images, 32)
    rows : mapping of str to intp ndarray
        What rows of them were used for: "train", "validation", "test", or "unused".
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["path", "sha256", "use"])
    for use, chosen in rows.items():
        for row in chosen.tolist():
            writer.writerow([csv_path(paths[row]), sha256[row].tobytes().hex(), use])
    return buffer.getvalue().encode("utf-8", "surrogateescape")


def history_csv(history: Sequence[Epoch]) -> bytes:
    """Return the content of history.csv: a line for each epoch."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["epoch", *(name for name in Epoch.__slots__)])
    for number, epoch in enumerate(history, start=1):
        writer.writerow([number, *asdict(epoch).values()])
    return buffer.getvalue().encode()
