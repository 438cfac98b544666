"""Which layers train: told by "last-block", by a layer's name, or by its number."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from pipeline.config import LAST_BLOCK
from pipeline.errors import ConfigError

# How the networks of Keras Applications name the layers of a block, one pattern for each way.
_BLOCKS = (
    re.compile(r"(block\d+[a-z]?)_"),  # VGG, Xception, EfficientNet
    re.compile(r"(conv\d+_block\d+)_"),  # ResNet, DenseNet
    re.compile(r"(block_\d+)_"),  # MobileNetV2
    re.compile(r"conv_(?:dw|pw)_(\d+)"),  # MobileNet
    re.compile(r"(expanded_conv_\d+)_"),  # MobileNetV3
    re.compile(r".*_(stage_\d+_block_\d+)_"),  # ConvNeXt
    re.compile(r"(?:adjust|normal|reduction)_.*_(\d+)$"),  # NASNet: the number of the cell
)
# What ends the last but one block of Inception-v3 and of Inception-ResNet-v2, whose layers are but
# numbered.
_ENDS = ("mixed9", "block8_9_ac")
# A block of DenseNet is all that one resolution has: its parts are single layers of 32 channels.
_DENSE = re.compile(r"(conv\d+)_")


def find_first(names: Sequence[str], unfreeze_from: str) -> int:
    """Return the number of the first layer that trains; all behind it train, too.

    Parameters
    ----------
    names : sequence of str
        Of all layers of a network, in Keras's order.
    unfreeze_from : str
        "last-block", a name, or a number; a negative one counts from the end.

    Raises
    ------
    ConfigError
        If there is no such layer.
    """
    if unfreeze_from == LAST_BLOCK:
        return _find_last_block(names)
    if re.fullmatch(r"-?\d+", unfreeze_from):
        number = int(unfreeze_from)
        if not -len(names) <= number < len(names):
            raise ConfigError(
                f"--unfreeze-from {number}: the network has the layers 0 to {len(names) - 1}. The "
                f"last are {_list_last(names)}."
            )
        return number % len(names)
    if unfreeze_from not in names:
        close = difflib.get_close_matches(unfreeze_from, names, n=3)
        hint = (
            f"Did you mean {', '.join(close)}?" if close else f"The last are {_list_last(names)}."
        )
        raise ConfigError(
            f"--unfreeze-from {unfreeze_from!r} is neither {LAST_BLOCK}, nor a number, nor a layer "
            f"of the network. {hint}"
        )
    return list(names).index(unfreeze_from)


def _find_last_block(names: Sequence[str]) -> int:
    """Return the first layer of the last block, by the way the network names its layers."""
    for end in _ENDS:
        if end in names:
            return list(names).index(end) + 1
    patterns = (_DENSE,) if any(n.endswith("_0_relu") for n in names) else _BLOCKS
    for pattern in patterns:
        blocks = [(k, found[1]) for k, name in enumerate(names) if (found := pattern.match(name))]
        if blocks:
            last = blocks[-1][1]
            return next(k for k, block in blocks if block == last)
    raise ConfigError(
        f"--unfreeze-from {LAST_BLOCK}: this network does not name its blocks. Give the name or "
        f"the number of a layer; the last are {_list_last(names)}."
    )


def _list_last(names: Sequence[str]) -> str:
    return ", ".join(names[-5:])
