"""Flags: the network that images go through, and what is taken from it."""

# No `from __future__ import annotations`: the flags are read from the annotations themselves.

from typing import Annotated

from pipeline.config import AUGMENTS, POOLINGS
from pipeline.options.flags import NETWORK, choices, option

ModelArg = Annotated[
    str,
    option(
        "--model",
        NETWORK,
        "The headless CNN (see `pipeline models`); A+B joins the values of two.",
        "NAME",
    ),
]
WeightsArg = Annotated[
    str,
    option(
        "--weights",
        NETWORK,
        "Pretrained on ImageNet, random, or a weights file.",
        "imagenet|random|FILE",
    ),
]
LayerArg = Annotated[
    list[str] | None,
    option(
        "--layer",
        NETWORK,
        "Take the values of this layer instead of the last; may be given more than once. With "
        "--model A+B it is written MODEL:NAME.",
        "NAME",
    ),
]
PoolingArg = Annotated[
    str,
    option(
        "--pooling",
        NETWORK,
        "Average or maximum over the map's places, or the map flattened.",
        choices(POOLINGS),
    ),
]

AugmentArg = Annotated[
    str,
    option(
        "--augment",
        NETWORK,
        "Also compute each image mirrored left to right, and average the two.",
        choices(AUGMENTS),
    ),
]
ViewsArg = Annotated[
    int,
    option(
        "--views",
        NETWORK,
        "2 keeps image and mirror image apart, so that a classifier is trained on both.",
        "1|2",
    ),
]
