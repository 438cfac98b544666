"""How a network is to be trained, once that is settled."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.backbones.network import Part
from pipeline.config import ExtractConfig


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TuningPlan:
    """How a network is to be trained.

    Attributes
    ----------
    part : Part
        The backbone and the weights that the training begins with.
    first : int
        Number of the first layer that trains.
    cut : tuple of str
        Layers whose output is trained on; empty to train on whole images.
    extraction : ExtractConfig
        What has to be extracted first: the output at the cut, or, for whole images, the transfer
        values, which tell the images that can be used.
    n_bytes : int
        What is kept at the cut of all images, before it is compressed; 0 for whole images.
    notes : tuple of str
    """

    part: Part
    first: int
    cut: tuple[str, ...]
    extraction: ExtractConfig
    n_bytes: int = 0
    notes: tuple[str, ...] = ()
