"""Choose and open the engine that runs a backbone on this machine.

Importing this module imports Keras and OpenVINO; `precision.py` has what can be asked without.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.backbones.engine import Engine
from pipeline.backbones.headless import build_headless
from pipeline.backbones.keras_engine import KerasEngine, list_gpus
from pipeline.backbones.openvino_engine import OpenVINOEngine
from pipeline.backbones.precision import parse_device
from pipeline.backbones.specs import BackboneSpec
from pipeline.backbones.weights import WeightsFile
from pipeline.config import check_choice
from pipeline.errors import BackboneError

ENGINES = ("keras", "openvino")


def open_engine(
    spec: BackboneSpec,
    weights: WeightsFile,
    *,
    image_size: int | None = None,
    layers: Sequence[str] = (),
    pooling: str = "avg",
    batch_size: int = 32,
    device: str = "auto",
    precision: str = "float32",
    engine: str | None = None,
) -> Engine:
    """Build a backbone and compile it for one batch shape.

    Parameters
    ----------
    spec : BackboneSpec
    weights : WeightsFile
    image_size, layers, pooling
        As for `build_headless`.
    batch_size : int
        Images computed at once; a smaller last batch is padded.
    device : str
        "auto" takes a GPU where Keras sees one; "cpu", "gpu", "gpu:1".
    precision : str
        "float32" or "bfloat16" (see `resolve_precision` for "auto").
    engine : str or None
        "keras" or "openvino"; None is OpenVINO on a CPU and Keras on a GPU.

    Returns
    -------
    Engine

    Raises
    ------
    ConfigError
        When a setting cannot be used with this backbone.
    BackboneError
        When the device is not there or the weights do not belong to the backbone.
    """
    check_choice("--precision", precision, ("float32", "bfloat16"))
    place = _choose_device(device)
    chosen = engine or ("openvino" if place == "cpu" else "keras")
    check_choice("engine", chosen, ENGINES)
    if chosen == "openvino":
        if place != "cpu":
            raise BackboneError(f"the openvino engine computes on the CPU, not on {place}.")
        model = build_headless(spec, weights, image_size=image_size, layers=layers, pooling=pooling)
        return OpenVINOEngine(model, batch_size=batch_size, precision=precision)
    return KerasEngine(
        lambda: build_headless(
            spec,
            weights,
            image_size=image_size,
            layers=layers,
            pooling=pooling,
            precision=precision,
        ),
        batch_size=batch_size,
        device=place,
        precision=precision,
    )


def _choose_device(device: str) -> str:
    """Return "cpu" or "gpu:N", making sure that a GPU asked for is there."""
    kind, number = parse_device(device)
    gpus = list_gpus()  # for a CPU too: TensorFlow looks for GPUs anyway, and here it is quiet
    if kind == "cpu":
        return "cpu"
    if kind == "auto":
        return "gpu:0" if gpus else "cpu"
    if number >= len(gpus):
        raise BackboneError(
            f"--device {device}: Keras sees {len(gpus) or 'no'} GPU{'s' if len(gpus) > 1 else ''}"
            " on this machine. `--device cpu` works everywhere; for NVIDIA GPUs install"
            " 'transfer-values[gpu]'."
        )
    return f"gpu:{number}"
