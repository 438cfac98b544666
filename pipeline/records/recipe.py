"""What decides the numbers in a store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

FORMAT_VERSION = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything that decides the numbers in a store. Two equal recipes share one store.

    Library versions, engine, device, host and batch size are provenance, not recipe.
    """

    manifest_digest: str
    model: str
    weights_sha256: str
    layers: tuple[str, ...]
    pooling: str
    input_size: int
    resize: str
    crop_fraction: float
    interpolation: str
    preprocessing: str
    precision: str
    dtype: str = "float32"
    decoder: str = "pillow"
    colour: str = "rgb"
    alpha: str = "composite on white"
    exif: str = "orientation applied"
    sixteen_bit: str = "scaled to 8 bits"
    format_version: int = FORMAT_VERSION

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {**asdict(self), "layers": list(self.layers)}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Recipe:
        """Rebuild a recipe from `to_dict`."""
        return cls(**{**fields, "layers": tuple(fields["layers"])})

    @property
    def key(self) -> str:
        """SHA-256 of the canonical JSON of the recipe, in hexadecimal."""
        canonical = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()
