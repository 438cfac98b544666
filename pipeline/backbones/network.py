"""Which network is wanted: one backbone, or several whose transfer values are joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.backbones.specs import BackboneSpec
from pipeline.backbones.weights import WeightsFile
from pipeline.records import hash_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One backbone of a network.

    Attributes
    ----------
    spec : BackboneSpec
    weights : WeightsFile
    image_size : int
        Side of the square input in pixels.
    layers : tuple of str
        Whose outputs are taken, in the order they are joined; empty for the last one.
    """

    spec: BackboneSpec
    weights: WeightsFile
    image_size: int
    layers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """All that decides what is computed of an image, but for precision, device and engine.

    Attributes
    ----------
    parts : tuple of Part
        Each takes an array of images of its own; their values stand side by side, in this order.
    pooling : str
        "avg" or "max" over the picture's area, or "none": flattened, row by row.
    mirrored : bool
        Whether the values of the image mirrored left to right are averaged with its own.
    views : int
        2 keeps the values of the mirror image behind those of the image in place of the average.
    top : bool
        Whether the network ends in its own top: its values are then the probabilities of
        ImageNet's 1,000 classes. There is one part, without layers, and nothing to pool.
    """

    parts: tuple[Part, ...]
    pooling: str = "avg"
    mirrored: bool = False
    views: int = 1
    top: bool = False

    @classmethod
    def of(
        cls,
        spec: BackboneSpec,
        weights: WeightsFile,
        *,
        image_size: int | None = None,
        layers: Sequence[str] = (),
        pooling: str = "avg",
    ) -> Network:
        """Return a network of one backbone; an image size of None is the backbone's own."""
        size = spec.input_size if image_size is None else image_size
        part = Part(spec=spec, weights=weights, image_size=size, layers=tuple(layers))
        return cls(parts=(part,), pooling=pooling)

    @property
    def name(self) -> str:
        """The backbones and their image sizes: "vgg16@150", "vgg16@224+resnet50@224"."""
        return "+".join(f"{part.spec.name}@{part.image_size}" for part in self.parts)

    @property
    def image_sizes(self) -> tuple[int, ...]:
        """Side of the images that each part takes, in pixels."""
        return tuple(part.image_size for part in self.parts)

    def to_dict(self) -> dict[str, Any]:
        """Return what tells this network from any other, as JSON values."""
        fields: dict[str, Any] = {
            "parts": [
                {
                    "model": part.spec.name,
                    "weights_sha256": part.weights.sha256,
                    "image_size": part.image_size,
                    "layers": list(part.layers),
                    "preprocessing": part.spec.preprocessing,
                }
                for part in self.parts
            ],
            "pooling": self.pooling,
            "mirrored": self.mirrored,
            "views": self.views,
        }
        # Absent without a top: networks that were converted before there were tops are found.
        return {**fields, "top": True} if self.top else fields

    @property
    def key(self) -> str:
        """SHA-256 of the canonical JSON of `to_dict`, in hexadecimal."""
        return hash_json(self.to_dict())
