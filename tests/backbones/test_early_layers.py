import pytest

from pipeline.backbones.early_layers import name_early_layer
from pipeline.backbones.headless import build_bare
from pipeline.backbones.specs import all_specs, get_spec

QUICK = ("efficientnet-lite0", "vgg16", "mobilenet_v3_small")


def check(spec):
    model = build_bare(spec, None, image_size=spec.input_size)
    _, side, _, width = model.get_layer(name_early_layer(spec)).output.shape
    # NASNet and Inception do not halve exactly; ConvNeXt has pooled its last map already.
    maps = [layer.output.shape for layer in model.layers if len(layer.output.shape) == 4]
    last = maps[-1][1]
    assert last < side <= 2 * last + 1
    assert width >= 288


@pytest.mark.parametrize("name", QUICK)
def test_it_is_before_the_last_halving_of_the_picture_and_wide(name):
    check(get_spec(name))


@pytest.mark.slow
@pytest.mark.parametrize("spec", all_specs(), ids=lambda spec: spec.name)
def test_so_it_is_in_every_backbone(spec):
    check(spec)


def test_every_backbone_has_one():
    assert all(name_early_layer(spec) for spec in all_specs())


def test_the_longest_family_counts():
    assert name_early_layer(get_spec("mobilenet")) == "conv_pw_11_relu"
    assert name_early_layer(get_spec("mobilenet_v2")) == "block_13_expand_relu"
    assert name_early_layer(get_spec("resnet50v2")) == "conv4_block6_preact_relu"
