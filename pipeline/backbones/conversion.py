"""Convert a network from Keras to OpenVINO."""

from __future__ import annotations

from pathlib import Path

from pipeline.backbones.converted import ConvertedNetwork
from pipeline.backbones.headless import build_network, find_widths
from pipeline.backbones.network import Network
from pipeline.backbones.quiet_keras import keras, keras_versions
from pipeline.errors import BackboneError


def convert(network: Network, folder: Path) -> ConvertedNetwork:
    """Build a network in Keras and write it in OpenVINO's format, in float32.

    Parameters
    ----------
    network : Network
    folder : Path
        Gets network.xml and network.bin.

    Raises
    ------
    ConfigError
        If a setting cannot be used with this backbone.
    BackboneError
        If Keras runs on another backend than TensorFlow, or the weights do not belong to the
        backbone.
    OSError
        If the folder cannot be written.
    """
    backend = keras.config.backend()
    if backend != "tensorflow":
        # PyTorch's trace is of one image: a mirrored network comes out with other values. JAX's
        # is an operation that OpenVINO does not know, and needs TensorFlow as well.
        raise BackboneError(
            f"{network.name} cannot be converted for OpenVINO: that needs Keras on TensorFlow, not"
            f" on {backend}. Run the same command with KERAS_BACKEND=tensorflow (if it is not"
            " installed: pip install tensorflow)."
        )
    model = build_network(network)
    path = folder / "network.xml"
    try:
        model.export(str(path), format="openvino", verbose=False)
    except RuntimeError as exc:  # this is how OpenVINO says that the disk is full
        raise OSError(f"{path} cannot be written ({exc})") from exc
    return ConvertedNetwork(
        path=path,
        network=network,
        widths=find_widths(model, network),
        versions=keras_versions(),
    )
