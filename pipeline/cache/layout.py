"""The format: which arrays a store has, how they are chunked and coded, and what binds them.

A block is one chunk of `features` and the unit of commit. Its digest covers its number, who its
rows are, their status and their values, so a valid chunk in the wrong place is noticed too.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import Crc32cCodec, ZstdCodec

from pipeline.errors import CacheCorruptError, CacheNotFoundError
from pipeline.records import FORMAT_VERSION, Recipe, decode_names, encode_names

FORMAT = "transfer-values"
ROW_ARRAYS = ("labels", "split", "group")
SAMPLE_ARRAYS = ("paths", "offsets", "size", "sha256")
REDO_HINT = "Run the same extract command with --overwrite to compute it again."


def store_path(cache_dir: Path, dataset: str, recipe: Recipe) -> Path:
    """Return where the store of a recipe lies: `cache/<dataset>/<model>-<key8>.zarr`."""
    return cache_dir / dataset / f"{recipe.model}-{recipe.key[:8]}.zarr"


def skipped_csv(store: Path) -> Path:
    """Return where a store's skipped images are listed."""
    return store.with_suffix(".skipped.csv")


def block_length(row_bytes: int) -> int:
    """Return how many rows make a block: a power of two from 32 to 256, 4 MiB or less of values."""
    fitting = max(1, (4 << 20) // row_bytes)
    return min(256, max(32, 1 << (fitting.bit_length() - 1)))


def open_store(path: Path, mode: Any) -> zarr.Group:
    """Open a store's group, without ever creating one.

    Raises
    ------
    CacheNotFoundError
        If there is nothing at `path`.
    CacheCorruptError
        If it is not a readable store of this format and version.
    """
    if not path.exists():
        raise CacheNotFoundError(f"There is no store at {path}. Run: extract")
    try:
        group = zarr.open_group(path, mode=mode, use_consolidated=False)
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise CacheCorruptError(f"{path} is not a readable Zarr group: {exc}. {REDO_HINT}") from exc
    found = (group.attrs.get("format"), group.attrs.get("format_version"))
    if found != (FORMAT, FORMAT_VERSION):
        raise CacheCorruptError(
            f"{path} is not a store this version reads: expected format {FORMAT} version "
            f"{FORMAT_VERSION}, found {found[0]} version {found[1]}."
        )
    return group


def open_array(group: zarr.Group, name: str) -> zarr.Array[Any]:
    """Return one of a group's arrays; `name` may be a path within the group."""
    found = group[name]
    if not isinstance(found, zarr.Array):
        raise CacheCorruptError(f"{group.store_path}: {name} is not an array.")
    return found


def open_writable(group: zarr.Group, name: str) -> zarr.Array[Any]:
    """Return one of a group's arrays such that every chunk given to it is written.

    zarr leaves out chunks that equal the fill value, a block of skipped images for one, and does
    not keep that setting in the store.
    """
    return open_array(group, name).with_config({"write_empty_chunks": True})


def read_array(array: zarr.Array[Any]) -> NDArray[Any]:
    """Return the whole of an array."""
    return np.asarray(array[...])


def create_array(
    group: zarr.Group,
    name: str,
    shape: tuple[int, ...],
    chunks: tuple[int, ...],
    dtype: str,
    fill: float,
) -> zarr.Array[Any]:
    """Create an empty array with the format's codecs."""
    return group.create_array(
        name,
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        fill_value=fill,
        # zstd without a shuffle is what post-ReLU values shrink best under. The checksum is last,
        # over the bytes as they lie on disk: zarr's defaults let most single-bit flips through.
        compressors=[ZstdCodec(level=1), Crc32cCodec()],
        # A missing chunk reads as fill values in silence, so every chunk is written.
        config={"write_empty_chunks": True},
    )


def create_filled_array(group: zarr.Group, name: str, values: NDArray[Any]) -> None:
    """Create an array of one chunk that holds `values`."""
    array = create_array(group, name, values.shape, values.shape, str(values.dtype), 0)
    array[...] = values


class RowIds:
    """Who a row is: its path and content hash, as the block digests bind them to their place."""

    def __init__(self, group: zarr.Group) -> None:
        sample = group["sample"]
        if not isinstance(sample, zarr.Group):
            raise CacheCorruptError(f"{group.store_path}: sample is not a group.")
        self._blob = read_array(open_array(sample, "paths")).tobytes()
        self._offsets = read_array(open_array(sample, "offsets"))
        self.sha256 = read_array(open_array(sample, "sha256"))

    def decode_paths(self) -> tuple[str, ...]:
        """Return every row's path, in order."""
        return decode_names(self._blob)

    def of(self, span: slice) -> bytes:
        """Return the bytes that stand for a span of rows in a block's digest."""
        names = self._blob[self._offsets[span.start] : self._offsets[span.stop]]
        return names + self.sha256[span].tobytes()


def block_digest(
    block: int, ids: bytes, status: NDArray[np.uint8], values: NDArray[np.floating[Any]]
) -> bytes:
    """Return the SHA-256 that commits one block.

    Parameters
    ----------
    block : int
        Which block of the store it is.
    ids : bytes
        `RowIds.of` its rows.
    status : uint8 ndarray of shape (n_rows,)
    values : float32 or float16 ndarray of shape (n_rows, n_features)
    """
    digest = hashlib.sha256(block.to_bytes(8, "little"))
    for part in (ids, status.tobytes(), np.ascontiguousarray(values).tobytes()):
        digest.update(part)
    return digest.digest()


def content_digest(group: zarr.Group) -> str:
    """Return the SHA-256, in hexadecimal, over the commits and every other array of a store."""
    digest = hashlib.sha256(str(group.attrs["key"]).encode())
    names = ("commit", *ROW_ARRAYS, *(f"sample/{name}" for name in SAMPLE_ARRAYS))
    for name in names:
        digest.update(read_array(open_array(group, name)).tobytes())
    digest.update(encode_names(tuple(group.attrs["class_names"])))  # type: ignore[arg-type]
    return digest.hexdigest()
