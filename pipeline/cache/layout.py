"""The format: which arrays a store has, how they are chunked and coded, and what binds them.

A block is one chunk of `features` and the unit of commit. Its digest covers the store's key, its
number, who its rows are, their status, their oddities and their values, so a valid chunk in the
wrong place, or of another store, is noticed too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import Crc32cCodec, ZstdCodec

from pipeline.cache.attributes import Attributes, parse_attributes
from pipeline.cache.damage import ANEW_HINT, translated
from pipeline.cache.disk import DurableStore
from pipeline.errors import CacheCorruptError, CacheNotFoundError
from pipeline.records import FORMAT_VERSION, Manifest, Recipe, Status, decode_names, encode_names

FORMAT = "transfer-values"
ROW_ARRAYS = ("labels", "split", "group")
# What an array holds where nothing was written.
FILLS = {"features": np.nan, "status": int(Status.PENDING), "oddities": 0xFFFF, "commit": 0}
SAMPLE_ARRAYS = ("paths", "offsets", "size", "sha256")


def store_path(cache_dir: Path, dataset: str, recipe: Recipe) -> Path:
    """Return where the store of a recipe lies: `cache/<dataset>/<model>-<key8>.zarr`."""
    return cache_dir / dataset / f"{recipe.model}-{recipe.key[:8]}.zarr"


def block_length(row_bytes: int) -> int:
    """Return how many rows make a block: a power of two from 32 to 256, 4 MiB or less of values."""
    fitting = max(1, (4 << 20) // row_bytes)
    return min(256, max(32, 1 << (fitting.bit_length() - 1)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayForm:
    """What one array of a store looks like."""

    shape: tuple[int, ...]
    dtype: str
    chunks: tuple[int, ...]


def array_forms(*, n: int, width: int, dtype: str, path_bytes: int) -> dict[str, ArrayForm]:
    """Return what every array of a store must look like, by its path within the group.

    Parameters
    ----------
    n, width : int
        Rows, and values a row.
    dtype : str
        Of the values.
    path_bytes : int
        Length of the blob that holds the rows' paths.
    """
    block = block_length(width * np.dtype(dtype).itemsize)
    whole = {
        "labels": ((n,), "int32"),
        "split": ((n,), "uint8"),
        "group": ((n,), "int32"),
        "sample/paths": ((path_bytes,), "uint8"),
        "sample/offsets": ((n + 1,), "int64"),
        "sample/size": ((n,), "int64"),
        "sample/sha256": ((n, 32), "uint8"),
    }
    return {
        "features": ArrayForm(shape=(n, width), dtype=dtype, chunks=(block, width)),
        "status": ArrayForm(shape=(n,), dtype="uint8", chunks=(block,)),
        "oddities": ArrayForm(shape=(n,), dtype="uint16", chunks=(block,)),
        "commit": ArrayForm(shape=(-(-n // block), 32), dtype="uint8", chunks=(1, 32)),
        **{
            name: ArrayForm(shape=shape, dtype=kind, chunks=shape)
            for name, (shape, kind) in whole.items()
        },
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """An open store of this format, of which the attributes and the arrays' forms are checked."""

    path: Path
    group: zarr.Group
    attributes: Attributes
    arrays: Mapping[str, zarr.Array[Any]]

    def array(self, name: str) -> zarr.Array[Any]:
        """Return one of the arrays; `name` may be a path within the group."""
        return self.arrays[name]

    def writable(self, name: str) -> zarr.Array[Any]:
        """Return one of the arrays such that every chunk given to it is written.

        zarr leaves out chunks that equal the fill value, a block of skipped images for one, and
        does not keep that setting in the store.
        """
        return self.array(name).with_config({"write_empty_chunks": True})

    def read(self, name: str) -> NDArray[Any]:
        """Return the whole of one of the arrays."""
        with translated(self.path, name, file=self.path / name):
            return read_array(self.array(name))


def open_store(path: Path, mode: Any) -> Store:
    """Open a store, without ever creating one.

    Raises
    ------
    CacheNotFoundError
        If there is nothing at `path`.
    CacheCorruptError
        If it is not a readable store of this format and version.
    CacheError
        If the system does not let it be read.
    """
    with translated(path, file=path / "zarr.json", hint=ANEW_HINT):
        if not path.exists():
            raise CacheNotFoundError(f"There is no store at {path}. Run: extract")
        disk = DurableStore(path, read_only=mode == "r")
        group = zarr.open_group(disk, mode=mode, use_consolidated=False)
        found = (group.attrs.get("format"), group.attrs.get("format_version"))
        if found != (FORMAT, FORMAT_VERSION):
            raise CacheCorruptError(
                f"{path} is not a store this version reads: expected format {FORMAT} version "
                f"{FORMAT_VERSION}, found {found[0]} version {found[1]}. Move it away, or give "
                "another --cache-dir."
            )
        attributes = parse_attributes(group.attrs)
        disk.may_lack = frozenset() if attributes.complete else frozenset(FILLS)
        return Store(
            path=path,
            group=group,
            attributes=attributes,
            arrays=_open_arrays(path, group, attributes),
        )


def _open_arrays(
    path: Path, group: zarr.Group, attributes: Attributes
) -> dict[str, zarr.Array[Any]]:
    """Return the arrays of a store, each of the form that it must have."""
    features, paths = (_open_array(path, group, name) for name in ("features", "sample/paths"))
    n, width = features.shape
    forms = array_forms(n=n, width=width, dtype=attributes.recipe.dtype, path_bytes=paths.shape[0])
    arrays = {name: _open_array(path, group, name) for name in forms}
    for name, form in forms.items():
        array = arrays[name]
        found = ArrayForm(shape=array.shape, dtype=str(array.dtype), chunks=array.chunks)
        if found != form:
            raise ValueError(f"{name} is {found}, expected {form}")
    return arrays


def _open_array(path: Path, group: zarr.Group, name: str) -> zarr.Array[Any]:
    with translated(path, name, file=path / name, hint=ANEW_HINT):
        try:
            found = group[name]
        except KeyError:
            raise ValueError("it is missing") from None
        if not isinstance(found, zarr.Array):
            raise TypeError("it is not an array")
        return found


def read_array(array: zarr.Array[Any]) -> NDArray[Any]:
    """Return the whole of an array."""
    return np.asarray(array[...])


def create_array(
    group: zarr.Group, name: str, form: ArrayForm, *, fill: float = 0
) -> zarr.Array[Any]:
    """Create an empty array with the format's codecs."""
    return group.create_array(
        name,
        shape=form.shape,
        chunks=form.chunks,
        dtype=form.dtype,
        fill_value=fill,
        # zstd without a shuffle is what post-ReLU values shrink best under. The checksum is last,
        # over the bytes as they lie on disk: zarr's defaults let most single-bit flips through.
        compressors=[ZstdCodec(level=1), Crc32cCodec()],
        # A missing chunk reads as fill values in silence, so every chunk is written.
        config={"write_empty_chunks": True},
    )


def describe_dataset(manifest: Manifest) -> dict[str, Any]:
    """Return what a store's attributes say of its data set."""
    return {
        "dataset": manifest.name,
        "class_names": list(manifest.class_names),
        "group_names": list(manifest.group_names),
        "ignored": dict(manifest.ignored),
    }


def describe_rows(manifest: Manifest) -> dict[str, NDArray[Any]]:
    """Return what a store says of its rows, by array."""
    blob = np.frombuffer(encode_names(manifest.paths), np.uint8)
    return {
        **{name: getattr(manifest, name) for name in ROW_ARRAYS},
        "sample/paths": blob,
        "sample/offsets": np.concatenate([[0], np.flatnonzero(blob == 0) + 1]),
        "sample/size": manifest.size,
        "sample/sha256": manifest.sha256,
    }


def read_manifest(store: Store) -> Manifest:
    """Return the data set that a store says it is of."""
    about = store.attributes
    return Manifest(
        name=about.dataset,
        root=Path(about.root),
        paths=decode_names(store.read("sample/paths").tobytes()),
        class_names=about.class_names,
        group_names=about.group_names,
        labels=store.read("labels"),
        split=store.read("split"),
        group=store.read("group"),
        size=store.read("sample/size"),
        sha256=store.read("sample/sha256"),
    )


class RowIds:
    """Who a row is: its path and content hash, as the block digests bind them to their place."""

    def __init__(self, store: Store) -> None:
        self._blob = store.read("sample/paths").tobytes()
        self._offsets = store.read("sample/offsets")
        self.sha256 = store.read("sample/sha256")

    def decode_paths(self) -> tuple[str, ...]:
        """Return every row's path, in order."""
        return decode_names(self._blob)

    def of(self, span: slice) -> bytes:
        """Return the bytes that stand for a span of rows in a block's digest."""
        names = self._blob[self._offsets[span.start] : self._offsets[span.stop]]
        return names + self.sha256[span].tobytes()


def block_digest(
    key: str,
    block: int,
    ids: bytes,
    status: NDArray[np.uint8],
    oddities: NDArray[np.uint16],
    values: NDArray[np.floating[Any]],
) -> bytes:
    """Return the SHA-256 that commits one block.

    Parameters
    ----------
    key : str
        Of the store.
    block : int
        Which block of the store it is.
    ids : bytes
        `RowIds.of` its rows.
    status : uint8 ndarray of shape (n_rows,)
    oddities : uint16 ndarray of shape (n_rows,)
    values : float32 or float16 ndarray of shape (n_rows, n_features)
    """
    digest = hashlib.sha256(key.encode() + block.to_bytes(8, "little"))
    digest.update(ids)
    for part in (status, oddities, values):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.digest()


def content_digest(store: Store) -> str:
    """Return the SHA-256, in hexadecimal, over all that a store holds and says of its rows.

    That is the key, the data set's name, classes, groups and folder, and every array but the
    features, for which the commits stand.
    """
    about = store.attributes
    said = [about.key, about.dataset, about.class_names, about.group_names, about.root]
    digest = hashlib.sha256(json.dumps(said).encode())
    names = (*ROW_ARRAYS, *(f"sample/{name}" for name in SAMPLE_ARRAYS))
    for name in ("commit", "status", "oddities", *names):
        digest.update(store.read(name).tobytes())
    return digest.hexdigest()
