"""A layer of each backbone from before it turns to what its classes are: plain data.

It is the last wide layer of which the picture still has twice the side that the network ends with,
about two thirds of the way. Which of EfficientNet-Lite0's layers a linear classifier (ridge, tuned)
does best on, in cross-validation on 1,120 training images:

=======================  =====  ====  =============  =======  ======
layer                    width  side  cats and dogs  CIFAR10  digits
=======================  =====  ====  =============  =======  ======
block3b_add                 40    28           77.7     44.1    83.6
block4a_expand_act.        240    28           83.6     52.6    93.8
block5a_expand_act.        480    14           86.1     57.7    97.1
block6a_expand_act.        672    14           96.1     77.8    98.8
block6d_add                192     7           98.8     83.7    97.2
the last one             1,280     7           98.9     86.8    95.3
=======================  =====  ====  =============  =======  ======

Photos, which the network was trained on, are told apart best at its end, drawn digits before it. A
layer nearer to the images would do worse on anything, and show nothing.
"""

from __future__ import annotations

from pipeline.backbones.specs import BackboneSpec

_OF_FAMILIES = {
    "efficientnet": "block6a_expand_activation",
    "vgg": "block4_pool",
    "xception": "block13_sepconv1_act",
    "densenet": "pool4_relu",
    "inception_v3": "mixed7",
    "inception_resnet_v2": "block17_20_ac",
    "mobilenet": "conv_pw_11_relu",
    "mobilenet_v2": "block_13_expand_relu",
    "mobilenet_v3_small": "activation_11",
    "mobilenet_v3_large": "activation_13",
    "nasnet_mobile": "adjust_relu_1_9",
    "nasnet_large": "adjust_relu_1_13",
    "resnet50": "conv4_block6_out",
    "resnet101": "conv4_block23_out",
    "resnet152": "conv4_block36_out",
    "resnet50v2": "conv4_block6_preact_relu",
    "resnet101v2": "conv4_block23_preact_relu",
    "resnet152v2": "conv4_block36_preact_relu",
    "convnext_tiny": "convnext_tiny_stage_2_block_8_gelu",
    "convnext_small": "convnext_small_stage_2_block_26_gelu",
    "convnext_base": "convnext_base_stage_2_block_26_gelu",
    "convnext_large": "convnext_large_stage_2_block_26_gelu",
    "convnext_xlarge": "convnext_xlarge_stage_2_block_26_gelu",
}


def name_early_layer(spec: BackboneSpec) -> str:
    """Return the name of a backbone's earlier layer, as `--layer` takes it."""
    families = [name for name in _OF_FAMILIES if spec.name.startswith(name)]
    return _OF_FAMILIES[max(families, key=len)]
