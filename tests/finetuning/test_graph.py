import numpy as np
import pytest

from pipeline.backbones.headless import build_bare
from pipeline.backbones.quiet_keras import keras
from pipeline.backbones.specs import get_spec
from pipeline.errors import ConfigError
from pipeline.finetuning.choosing import find_first
from pipeline.finetuning.graph import find_cut, read_graph

layers = keras.layers


def conv(x, filters, name):
    return layers.Conv2D(filters, 3, padding="same", name=name)(x)


def number_of(model, name):
    return [layer.name for layer in model.layers].index(name)


def chain():
    images = keras.Input((8, 8, 3))
    x = conv(images, 4, "one")
    x = layers.ReLU(name="one_relu")(x)
    x = conv(x, 5, "two")
    return keras.Model(images, conv(x, 6, "three"))


def residual():
    images = keras.Input((8, 8, 3))
    x = conv(images, 4, "one")
    y = conv(x, 4, "two")
    y = conv(y, 4, "three")
    return keras.Model(images, layers.Add(name="sum")([x, y]))


def forked(*, wide):
    """Two ways side by side: behind `both` one, and again behind two narrow outputs."""
    images = keras.Input((8, 8, 3))
    x = conv(images, 4, "stem")
    x = layers.Concatenate(name="both")([conv(x, wide, "left"), conv(x, wide, "right")])
    a, b = conv(conv(x, 1, "low"), 2, "low_last"), conv(conv(x, 1, "high"), 2, "high_last")
    return keras.Model(images, layers.Add(name="sum")([a, b]))


class TestFindCut:
    def test_a_chain_is_cut_before_what_trains(self):
        model = chain()
        assert find_cut(model, number_of(model, "three")) == ("two",)
        assert find_cut(model, number_of(model, "two")) == ("one_relu",)

    def test_a_way_around_moves_the_cut_to_where_the_ways_part(self):
        model = residual()
        assert find_cut(model, number_of(model, "two")) == ("one",)
        # Two outputs of 8 by 8 by 4 would cross here; the one before them says it all.
        assert find_cut(model, number_of(model, "three")) == ("one",)

    def test_several_outputs_are_kept_where_they_are_narrower_than_the_last_single_one(self):
        first = min(number_of(forked(wide=3), name) for name in ("low_last", "high_last"))
        assert set(find_cut(forked(wide=3), first)) == {"low", "high"}
        assert find_cut(residual(), number_of(residual(), "three")) == ("one",)

    def test_nothing_is_kept_where_nothing_was_computed(self):
        model = chain()
        assert find_cut(model, 0) == ()
        assert find_cut(model, number_of(model, "one")) == ()

    def test_layers_without_weights_cannot_train(self):
        images = keras.Input((8, 8, 3))
        model = keras.Model(images, layers.ReLU(name="top")(conv(images, 4, "one")))
        with pytest.raises(ConfigError, match="no layer from top on has weights"):
            find_cut(model, number_of(model, "top"))

    def test_an_operation_that_is_no_layer_is_not_cut_at(self):
        images = keras.Input((8, 8, 3))
        x = conv(images, 4, "one")
        x = keras.ops.relu(x + 1.0)
        model = keras.Model(images, conv(x, 2, "two"))
        assert find_cut(model, number_of(model, "two")) == ("one",)

    def test_every_operation_comes_after_what_it_takes(self):
        graph = read_graph(forked(wide=3))
        assert all(parent < k for k, of in graph.parents.items() for parent in of)


def test_what_lies_behind_the_cut_computes_what_the_whole_network_does():
    spec = get_spec("efficientnet-lite0")
    model = build_bare(spec, None, image_size=32)
    first = find_first([layer.name for layer in model.layers], "last-block")
    (cut,) = find_cut(model, first)
    assert cut == "block6d_add"
    images = np.random.default_rng(0).normal(size=(3, 32, 32, 3)).astype(np.float32)
    maps = keras.Model(model.input, model.get_layer(cut).output)(images)
    tail = keras.Model(model.get_layer(cut).output, model.output)
    np.testing.assert_array_equal(np.asarray(tail(maps)), np.asarray(model(images)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "unfreeze_from", "cut"),
    [
        ("vgg16", "last-block", {"block4_pool"}),
        ("resnet50", "143", {"conv4_block6_out"}),
        ("resnet50", "conv5_block1_1_conv", {"conv4_block6_out"}),
        ("resnet50v2", "last-block", {"conv5_block2_out"}),
        ("inception_v3", "last-block", {"mixed9"}),
        ("inception_v3", "249", {"mixed8"}),
        ("inception_resnet_v2", "last-block", {"block8_9_ac"}),
        ("densenet121", "last-block", {"pool4_pool"}),
        ("mobilenet", "last-block", {"conv_pw_12_relu"}),
        ("mobilenet_v2", "last-block", {"block_15_add"}),
        ("mobilenet_v3_small", "last-block", {"expanded_conv_9_add"}),
        ("nasnet_mobile", "last-block", {"activation_175", "activation_176"}),
        ("efficientnet_b0", "last-block", {"block6d_add"}),
        ("convnext_tiny", "last-block", {"convnext_tiny_downsampling_block_2"}),
    ],
)
def test_the_cut_of_each_family(model, unfreeze_from, cut):
    spec = get_spec(model)
    bare = build_bare(spec, None, image_size=spec.input_size)
    first = find_first([layer.name for layer in bare.layers], unfreeze_from)
    assert set(find_cut(bare, first)) == cut
