"""Open the engine of a job, or its activation maps, with no more libraries than it needs.

Imports late, as `cli` does: Keras takes seconds to load and is needed only for a network that
was never converted, OpenVINO only on a CPU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.backbones.activation_maps import find_obstacle
from pipeline.backbones.precision import expect_engine
from pipeline.errors import BackboneError

if TYPE_CHECKING:
    from pipeline.backbones.activation_maps import MapEngine
    from pipeline.backbones.engine import Engine
    from pipeline.extraction.job import ExtractJob


def open_engine(job: ExtractJob, *, keep: bool = True) -> Engine:
    """Open what computes a job's network.

    Parameters
    ----------
    job : ExtractJob
    keep : bool
        Keep the network converted for the next time.

    Raises
    ------
    BackboneError
        If Keras is needed and cannot be loaded, or the network cannot be built or run.
    """
    if expect_engine(job.config.device) == "openvino":
        from pipeline.backbones.openvino_engine import open_kept

        kept = open_kept(
            job.network,
            job.config.cache_dir,
            batch_size=job.batch_size,
            precision=job.recipe.precision,
        )
        if kept is not None:
            return kept
    try:
        from pipeline.backbones import engines
    except (ImportError, ValueError) as exc:  # as Keras says that a backend is not there
        raise BackboneError(f"Keras cannot be loaded: {exc}. Run: pipeline doctor") from exc

    return engines.open_engine(
        job.network,
        batch_size=job.batch_size,
        device=job.config.device,
        precision=job.recipe.precision,
        cache_dir=job.config.cache_dir if keep else None,
    )


def open_maps(job: ExtractJob) -> MapEngine:
    """Open what computes a job's activation maps; nothing is converted for them, and nothing kept.

    Parameters
    ----------
    job : ExtractJob

    Raises
    ------
    BackboneError
        If its values are not averages over an area, which the message says in a sentence for
        readers; if Keras is needed and cannot be loaded; if the network cannot be built or run.
    """
    obstacle = find_obstacle(job.network)
    if obstacle:
        raise BackboneError(obstacle)
    if expect_engine(job.config.device) == "openvino":
        from pipeline.backbones.openvino_maps import open_kept_maps

        kept = open_kept_maps(job.network, job.config.cache_dir, precision=job.recipe.precision)
        if kept is not None:
            return kept
    try:
        from pipeline.backbones.keras_maps import KerasMaps
    except (ImportError, ValueError) as exc:  # as Keras says that a backend is not there
        raise BackboneError(f"Keras cannot be loaded: {exc}. Run: pipeline doctor") from exc

    return KerasMaps(job.network, device=job.config.device, precision=job.recipe.precision)
