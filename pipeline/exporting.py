"""Transfer values as files that other programs read: NumPy arrays, CSV or Parquet.

Values come and go block by block: however large a store is, little of it is in memory. A file is
written under a temporary name beside its place and renamed: it is there whole or not at all.

Rows that hold several views of an image have them side by side: as NumPy arrays in one row, in CSV
as the columns f0, f1, … and view2_f0, …, in Parquet as the columns values and view2_values.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from pipeline import durable
from pipeline.config import check_choice
from pipeline.errors import ConfigError, PipelineError
from pipeline.records import Split, csv_name, csv_path
from pipeline.views import count_views, view_prefixes, view_width

FORMATS = ("npy", "csv", "parquet")
NPY_FILES = (
    *("features.npy", "labels.npy", "split.npy", "sha256.npy"),
    *("paths.json", "classes.json", "recipe.json"),
)
SPLITS = tuple(split.name.lower() for split in Split)

Values = Iterator[NDArray[np.float32]]
"""The values of some rows after another, float32 of shape (n, n_features) each."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExportRows:
    """Who the rows of an export are; their values follow apart.

    Attributes
    ----------
    paths : tuple of str
    labels : int32 ndarray of shape (n_rows,)
        Index into `class_names`.
    class_names : tuple of str
    split : uint8 ndarray of shape (n_rows,)
        `Split` values, index into `SPLITS`.
    sha256 : uint8 ndarray of shape (n_rows, 32)
    n_features : int
        Values a row, of all views.
    about : mapping
        JSON values that go with the rows: recipe, versions, folder.
    """

    paths: tuple[str, ...]
    labels: NDArray[np.int32]
    class_names: tuple[str, ...]
    split: NDArray[np.uint8]
    sha256: NDArray[np.uint8]
    n_features: int
    about: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def n_views(self) -> int:
        """Views of an image that a row holds."""
        return count_views(self.about.get("recipe", {}))


def guess_format(to: Path) -> str:
    """Return the format that a path's extension says, npy if none."""
    suffix = to.suffix.lower().removeprefix(".")
    return suffix if suffix in ("csv", "parquet") else "npy"


def check_target(to: Path, format_name: str, *, overwrite: bool) -> None:
    """Refuse a place that cannot be written, before any work is done.

    A folder is only ever replaced by a folder of the same files, whatever `overwrite` says.

    Raises
    ------
    ConfigError
        If there is no such format, or a folder would be called like a file.
    PipelineError
        If something is at `to` that must not be replaced, or the format's library is missing.
    """
    check_choice("--format", format_name, FORMATS)
    if format_name == "parquet":
        _import_pyarrow("pyarrow")
    if format_name == "npy" and to.suffix == ".npy":
        raise ConfigError(
            f"--format npy makes a folder of several arrays: --to {to.with_suffix('')}, not {to}."
        )
    if not (to.exists() or to.is_symlink()):
        return
    is_folder = to.is_dir() and not to.is_symlink()
    if format_name == "npy":
        replaceable = is_folder and {path.name for path in to.iterdir()} <= set(NPY_FILES)
    else:
        replaceable = to.is_file() and not to.is_symlink()
    if not replaceable:
        raise PipelineError(
            f"{to} is there already and is no earlier export as {format_name}. It was left as it "
            "is: give another --to."
        )
    if not overwrite:
        raise PipelineError(f"{to} is there already. Give another --to, or --overwrite.")


def write_export(to: Path, format_name: str, rows: ExportRows, values: Values) -> None:
    """Write rows and their values; what was at `to` is replaced.

    Parameters
    ----------
    to : Path
        A folder for npy, otherwise a file. The folders above it are made.
    format_name : str
        One of `FORMATS`.
    rows : ExportRows
    values : iterator of float32 ndarray of shape (n, n_features)
        In the order of the rows, as many in all; taken one by one.

    Raises
    ------
    PipelineError
        If it cannot be written, or more or fewer values come. Nothing half made is left, and what
        was there stays.
    """
    partial = durable.partial_path(to)
    try:
        durable.make_folder(to.parent)
        _WRITERS[format_name](partial, rows, _counted(values, len(rows), partial))
        _move_into_place(partial, to)
    except OSError as exc:
        raise PipelineError(
            f"Cannot write {to}: {exc.strerror or exc}. Nothing was left there: make room, or give "
            "another --to, then run this again."
        ) from exc
    finally:
        with contextlib.suppress(OSError):
            durable.remove(partial)


def _counted(values: Values, n_rows: int, partial: Path) -> Values:
    n_seen = 0
    for block in values:
        n_seen += len(block)
        if n_seen > n_rows:
            break
        durable.step("write", partial)
        yield block
    if n_seen != n_rows:
        raise PipelineError(f"An export of {n_rows} rows got the values of {n_seen}.")


def _move_into_place(partial: Path, to: Path) -> None:
    if partial.is_dir():
        durable.sync_tree(partial)
        durable.replace_folder(partial, to)
    else:
        durable.sync(partial)
        durable.rename(partial, to)
        durable.sync(to.parent)


def _write_npy(folder: Path, rows: ExportRows, values: Values) -> None:
    durable.make_folder(folder)
    with (folder / "features.npy").open("xb") as file:
        header = {
            "descr": "<f4",
            "fortran_order": False,
            "shape": (len(rows), rows.n_features),
        }
        np.lib.format.write_array_header_1_0(file, header)
        for block in values:
            file.write(np.ascontiguousarray(block, "<f4").data)
    np.save(folder / "labels.npy", rows.labels)
    np.save(folder / "split.npy", rows.split)
    np.save(folder / "sha256.npy", rows.sha256)
    texts = {
        "paths.json": list(rows.paths),
        "classes.json": list(rows.class_names),
        "recipe.json": {**rows.about, "split_names": list(SPLITS)},
    }
    for name, content in texts.items():
        text = json.dumps(content, indent=1, allow_nan=False) + "\n"
        (folder / name).write_text(text, encoding="ascii")


def _write_csv(path: Path, rows: ExportRows, values: Values) -> None:
    classes = [csv_name(name) for name in rows.class_names]
    width = view_width(rows.n_features, n_views=rows.n_views)
    numbered = [f"{prefix}f{i}" for prefix in view_prefixes(rows.n_views) for i in range(width)]
    header = ["path", "label", "split", "sha256", *numbered]
    # Nine digits are enough to give every float32 back bit for bit.
    numbers = ",".join(["%.9g"] * rows.n_features) + "\r\n"
    start = 0
    with path.open("x", encoding="utf-8", errors="surrogateescape", newline="") as file:
        csv.writer(file).writerow(header)
        for block in values:
            for row, vector in enumerate(block.tolist(), start=start):
                names = (csv_path(rows.paths[row]), classes[rows.labels[row]])
                digest = rows.sha256[row].tobytes().hex()
                words = _to_csv([*names, SPLITS[rows.split[row]], digest])
                file.write(f"{words},{numbers % tuple(vector)}")
            start += len(block)


def _to_csv(words: list[str]) -> str:
    line = io.StringIO(newline="")
    csv.writer(line).writerow(words)
    return line.getvalue().removesuffix("\r\n")


def _write_parquet(path: Path, rows: ExportRows, values: Values) -> None:
    """Write one column of lists of fixed size for each view.

    Polars reads it as an array, of which `to_numpy()` is (n, d) at once; for pandas it is
    `np.stack(frame["values"])`. Thousands of columns would make the file slow to open in both.
    """
    pa, pq = _import_pyarrow("pyarrow"), _import_pyarrow("pyarrow.parquet")
    words = pa.dictionary(pa.int32(), pa.string())
    width = view_width(rows.n_features, n_views=rows.n_views)
    numbers = pa.list_(pa.float32(), width)
    schema = pa.schema(
        [
            ("path", pa.string()),
            ("label", words),
            ("split", words),
            ("sha256", pa.string()),
            *((f"{prefix}values", numbers) for prefix in view_prefixes(rows.n_views)),
        ],
        metadata={"transfer-values": json.dumps(rows.about, allow_nan=False)},
    )
    classes, splits = pa.array(map(_to_utf8, rows.class_names), pa.string()), pa.array(SPLITS)
    start = 0
    with path.open("xb") as file, _parquet_writer(pq, file, schema) as writer:
        for block in values:
            span = slice(start, start + len(block))
            columns = [
                pa.array(map(_to_utf8, rows.paths[span]), pa.string()),
                pa.DictionaryArray.from_arrays(rows.labels[span], classes),
                pa.DictionaryArray.from_arrays(rows.split[span].astype(np.int32), splits),
                pa.array([digest.tobytes().hex() for digest in rows.sha256[span]], pa.string()),
                *(
                    pa.FixedSizeListArray.from_arrays(view.reshape(-1), width)
                    for view in np.split(block, rows.n_views, axis=1)
                ),
            ]
            writer.write_table(pa.table(columns, schema=schema))
            start += len(block)


@contextlib.contextmanager
def _parquet_writer(pq: Any, file: BinaryIO, schema: Any) -> Iterator[Any]:
    writer = pq.ParquetWriter(file, schema, compression="zstd")
    try:
        yield writer
    except BaseException:
        with contextlib.suppress(OSError):  # of a disk that is full, for the second time
            writer.close()
        raise
    writer.close()


def _to_utf8(name: str) -> str:
    r"""Return a name as Arrow takes it: bytes that are not UTF-8 become `\udcff` and the like."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _import_pyarrow(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError as exc:
        raise PipelineError(
            "--format parquet needs pyarrow, which is not installed. Run: pip install "
            "'transfer-values[parquet]', or give --format npy or csv."
        ) from exc


_WRITERS: dict[str, Callable[[Path, ExportRows, Values], None]] = {
    "npy": _write_npy,
    "csv": _write_csv,
    "parquet": _write_parquet,
}
