"""Convert a network from Keras to OpenVINO."""

from __future__ import annotations

from pathlib import Path

from pipeline.backbones.converted import ConvertedNetwork
from pipeline.backbones.headless import build_network
from pipeline.backbones.network import Network
from pipeline.backbones.quiet_keras import keras


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
        If the weights do not belong to the backbone.
    OSError
        If the folder cannot be written.
    """
    model = build_network(network)
    path = folder / "network.xml"
    model.export(str(path), format="openvino", verbose=False)
    return ConvertedNetwork(
        path=path, network=network, width=int(model.output_shape[1]), keras=keras.__version__
    )
