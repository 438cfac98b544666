"""Choose and open the engine that runs a network on this machine.

Importing this module imports Keras and OpenVINO. `precision.py` has what can be asked without, and
`openvino_engine.open_kept` runs a network that was converted before.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.backbones.batching import AUTO_BATCH_SIZES
from pipeline.backbones.conversion import convert
from pipeline.backbones.converted import building_folder, keep
from pipeline.backbones.engine import Engine
from pipeline.backbones.keras_engine import KerasEngine, list_gpus
from pipeline.backbones.network import Network
from pipeline.backbones.openvino_engine import OpenVINOEngine, open_kept
from pipeline.backbones.precision import parse_device
from pipeline.config import check_choice
from pipeline.errors import BackboneError

ENGINES = ("keras", "openvino")


def open_engine(
    network: Network,
    *,
    batch_size: int | None = None,
    device: str = "auto",
    precision: str = "float32",
    engine: str | None = None,
    cache_dir: Path | None = None,
) -> Engine:
    """Build a network and compile it for one batch shape.

    Parameters
    ----------
    network : Network
    batch_size : int or None
        Images computed at once; a smaller last batch is padded. None is a good one for the engine.
    device : str
        "auto" takes a GPU where Keras sees one; "cpu", "gpu", "gpu:1".
    precision : str
        "float32" or "bfloat16" (see `resolve_precision` for "auto").
    engine : str or None
        "keras" or "openvino"; None is OpenVINO on a CPU and Keras on a GPU.
    cache_dir : Path or None
        Where a network converted for OpenVINO is looked for and kept; None keeps nothing.

    Returns
    -------
    Engine

    Raises
    ------
    ConfigError
        When a setting cannot be used with this backbone.
    BackboneError
        When the device is not there or the weights do not belong to the backbone.
    OutOfMemoryError
        When batches of this size do not fit into the memory.
    """
    check_choice("--precision", precision, ("float32", "bfloat16"))
    place = choose_device(device)
    chosen = engine or ("openvino" if place == "cpu" else "keras")
    check_choice("engine", chosen, ENGINES)
    size = batch_size or AUTO_BATCH_SIZES[chosen]
    if chosen == "keras":
        return KerasEngine(network, batch_size=size, device=place, precision=precision)
    if place != "cpu":
        raise BackboneError(f"the openvino engine computes on the CPU, not on {place}.")
    return _open_openvino(network, size, precision, cache_dir)


def _open_openvino(
    network: Network, batch_size: int, precision: str, cache_dir: Path | None
) -> Engine:
    """Open a network that was kept, or convert it and keep it."""
    if cache_dir is not None:
        kept = open_kept(network, cache_dir, batch_size=batch_size, precision=precision)
        if kept is not None:
            return kept
    places = [None] if cache_dir is None else [cache_dir, None]
    error: OSError | None = None
    for place in places:
        try:
            return _convert_and_open(network, batch_size, precision, place)
        except OSError as exc:  # where there is no room in the cache, there may be elsewhere
            error = exc
    raise BackboneError(
        f"{network.name} cannot be converted for OpenVINO: {error}. It is written into the cache "
        "or, where that cannot be, among the temporary files (TMPDIR): make room there."
    ) from error


def _convert_and_open(
    network: Network, batch_size: int, precision: str, cache_dir: Path | None
) -> Engine:
    with building_folder(cache_dir, network) as folder:
        converted = convert(network, folder)
        try:
            # From the folder that is ours alone: what is kept, somebody else may replace.
            return OpenVINOEngine(converted, batch_size=batch_size, precision=precision)
        finally:
            if cache_dir is not None:
                keep(converted, cache_dir)


def choose_device(device: str) -> str:
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
