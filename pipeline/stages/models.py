"""List the backbones."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from pipeline.backbones.specs import BackboneSpec, all_specs
from pipeline.backbones.weights import pretrained_path


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """One line of `pipeline models`.

    Attributes
    ----------
    name : str
    input_size, smallest_size : int
        Side of the square input in pixels.
    width : int
        Transfer values an image, average-pooled.
    n_parameters : int
        Without the top.
    weights : str
        "here", "download" or "package": how the ImageNet weights are to be had.
    weights_path : str
        Where they are, or would be.
    weights_url : str
    """

    name: str
    input_size: int
    smallest_size: int
    width: int
    n_parameters: int
    weights: str
    weights_path: str
    weights_url: str

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


def list_models() -> list[ModelEntry]:
    """Return every backbone, and whether its weights are on this machine."""
    return [_describe(spec) for spec in all_specs()]


def _describe(spec: BackboneSpec) -> ModelEntry:
    path = pretrained_path(spec)
    missing = "package" if spec.pretrained.package else "download"
    return ModelEntry(
        name=spec.name,
        input_size=spec.input_size,
        smallest_size=spec.smallest_size,
        width=spec.width,
        n_parameters=spec.n_parameters,
        weights="here" if path.is_file() else missing,
        weights_path=str(path),
        weights_url=spec.pretrained.url,
    )
