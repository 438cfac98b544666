"""Transfer values: classify images with a headless pretrained CNN and a classical classifier."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["TransferValues", "__version__", "load"]


def __getattr__(name: str) -> Any:
    """Load scikit-learn and zarr only where what needs them is asked for (PEP 562)."""
    if name == "TransferValues":
        return import_module("pipeline.transformer").TransferValues
    if name == "load":
        return import_module("pipeline.model").load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
