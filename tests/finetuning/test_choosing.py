import pytest

from pipeline.errors import ConfigError
from pipeline.finetuning.choosing import find_first

VGG = ["input", "block4_pool", "block5_conv1", "block5_conv2", "block5_pool"]
RESNET = ["conv5_block2_out", "conv5_block3_1_conv", "conv5_block3_1_bn", "conv5_block3_out"]


@pytest.mark.parametrize(
    ("names", "first"),
    [
        (VGG, "block5_conv1"),
        (RESNET, "conv5_block3_1_conv"),
        (["block6d_add", "block7a_expand_conv", "block7a_bn", "top_conv"], "block7a_expand_conv"),
        (["block_15_add", "block_16_expand", "block_16_project", "Conv_1"], "block_16_expand"),
        (["conv_pw_12_relu", "conv_dw_13", "conv_dw_13_bn", "conv_pw_13"], "conv_dw_13"),
        (["expanded_conv_9_add", "expanded_conv_10_expand", "conv_1"], "expanded_conv_10_expand"),
        (
            ["pool4_pool", "conv5_block1_0_bn", "conv5_block1_0_relu", "conv5_block2_0_bn", "bn"],
            "conv5_block1_0_bn",
        ),
        (["mixed8", "conv2d_80", "mixed9", "conv2d_89", "mixed10"], "conv2d_89"),
        (["block8_9_mixed", "block8_9_ac", "conv2d_200", "conv_7b"], "conv2d_200"),
        (
            ["x_stage_3_block_1_identity", "x_stage_3_block_2_depthwise_conv", "norm"],
            "x_stage_3_block_2_depthwise_conv",
        ),
        (
            ["normal_concat_11", "adjust_relu_12", "normal_concat_12", "activation_187"],
            "adjust_relu_12",
        ),
    ],
)
def test_the_last_block_is_told_by_how_networks_name_their_layers(names, first):
    assert names[find_first(names, "last-block")] == first


def test_a_layer_is_named_or_numbered():
    assert find_first(VGG, "block5_conv2") == 3
    assert find_first(VGG, "0") == 0
    assert find_first(VGG, "4") == 4
    assert find_first(VGG, "-2") == 3


@pytest.mark.parametrize(
    ("unfreeze_from", "message"),
    [
        ("block5_conv3", "Did you mean block5_conv2"),
        ("nonsense", "The last are"),
        ("5", "has the layers 0 to 4"),
        ("-6", "has the layers 0 to 4"),
    ],
)
def test_what_is_not_there_is_said(unfreeze_from, message):
    with pytest.raises(ConfigError, match=message):
        find_first(VGG, unfreeze_from)


def test_without_blocks_there_is_no_last_one():
    with pytest.raises(ConfigError, match="does not name its blocks"):
        find_first(["a", "b"], "last-block")
