"""OpenVINO, loaded so that scikit-learn-intelex can be loaded after it.

Both need oneTBB and take whichever is there first. OpenVINO brings an older one that lacks what
scikit-learn-intelex needs; the newer one, of the package `tbb`, serves both.
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, files


def _load_newer_tbb() -> None:
    """Load the oneTBB that came with scikit-learn-intelex, if it did."""
    with suppress(PackageNotFoundError, OSError):
        for file in files("tbb") or ():
            if file.name == "libtbb.so.12":
                ctypes.CDLL(str(file.locate()), mode=ctypes.RTLD_GLOBAL)


if sys.platform == "linux":
    _load_newer_tbb()

import openvino as ov  # noqa: E402

__all__ = ["ov"]
