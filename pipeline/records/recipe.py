"""What decides the numbers in a store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.records.hashing import hash_json

FORMAT_VERSION = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneRecipe:
    """One backbone of a recipe: what it is, and what an image is made into for it."""

    model: str
    weights_sha256: str
    layers: tuple[str, ...]
    input_size: int
    resize: str
    crop_fraction: float
    interpolation: str
    preprocessing: str

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> BackboneRecipe:
        """Rebuild it from its fields as JSON values."""
        return cls(**{**fields, "layers": tuple(fields["layers"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything that decides the numbers in a store. Two equal recipes share one store.

    Library versions, engine, device, host and batch size are provenance, not recipe.
    """

    manifest_digest: str
    backbones: tuple[BackboneRecipe, ...]
    pooling: str
    precision: str
    decoder: str
    augment: str = "none"
    views: int = 1
    dtype: str = "float32"
    colour: str = "rgb"
    alpha: str = "composite on white"
    exif: str = "orientation applied"
    sixteen_bit: str = "scaled to 8 bits"
    format_version: int = FORMAT_VERSION

    @property
    def model(self) -> str:
        """The names of the backbones: "vgg16", "vgg16+resnet50"."""
        return "+".join(backbone.model for backbone in self.backbones)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        backbones = [{**asdict(each), "layers": list(each.layers)} for each in self.backbones]
        return {**asdict(self), "backbones": backbones}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Recipe:
        """Rebuild a recipe from `to_dict`."""
        backbones = tuple(map(BackboneRecipe.from_dict, fields["backbones"]))
        return cls(**{**fields, "backbones": backbones})

    @property
    def key(self) -> str:
        """SHA-256 of the canonical JSON of the recipe, in hexadecimal."""
        return hash_json(self.to_dict())


def flatten_recipe(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a recipe's `to_dict` for people: each backbone's among the others.

    What two backbones have in common is said once, what differs is joined by " + ".
    """
    flat: dict[str, Any] = {}
    for name, value in recipe.items():
        if name != "backbones":
            flat[name] = value
            continue
        for field in value[0]:
            found = [backbone[field] for backbone in value]
            same = all(each == found[0] for each in found)
            flat[field] = found[0] if same else " + ".join(map(_say, found))
    return flat


def _say(value: Any) -> str:
    return ", ".join(map(str, value)) or "-" if isinstance(value, list) else str(value)


def describe_augment(recipe: Mapping[str, Any]) -> list[str]:
    """Return in words what became of the mirror images; nothing if there are none."""
    if recipe["augment"] == "none":
        return []
    return ["mirrored beside" if recipe["views"] == 2 else "mirrored and averaged"]
