"""Every network is built once, at the smallest size it takes; each takes a second or two."""

import keras
import numpy as np
import pytest
from keras.src.utils import file_utils

from pipeline.backbones.headless import build_headless
from pipeline.backbones.specs import all_specs, get_spec
from pipeline.backbones.weights import resolve_weights

# One of every way that Keras writes its file names; the others differ in a letter or a number.
# The hashes of all 40 are checked in test_specs.
ASKED = [
    "vgg16",
    "vgg19",
    "resnet50",
    "resnet50v2",
    "inception_v3",
    "inception_resnet_v2",
    "xception",
    "densenet121",
    "mobilenet",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "nasnet_mobile",
    "efficientnet_b0",
    "efficientnet_v2_b0",
    "convnext_tiny",
]


@pytest.mark.parametrize("spec", all_specs(), ids=lambda spec: spec.name)
def test_every_backbone_runs_and_is_as_the_table_says(spec):
    size = spec.smallest_size
    model = build_headless(spec, resolve_weights(spec, "random"), image_size=size)
    assert model.output_shape == (None, spec.width)
    assert model.count_params() == spec.n_parameters
    images = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), dtype=np.uint8)
    values = keras.ops.convert_to_numpy(model(images, training=False))
    assert values.shape == (2, spec.width)
    assert values.dtype == np.float32
    assert np.isfinite(values).all()
    assert not np.array_equal(values[0], values[1])


class AskedError(Exception):
    pass


@pytest.mark.parametrize("name", ASKED)
def test_keras_asks_for_the_file_that_the_table_names(name, monkeypatch):
    spec = get_spec(name)

    def get_file(fname, origin, *, cache_subdir, file_hash=None):
        raise AskedError(fname, origin, cache_subdir, file_hash)

    monkeypatch.setattr(file_utils, "get_file", get_file)
    size = spec.input_size
    constructor = getattr(keras.applications, spec.constructor)
    with pytest.raises(AskedError) as asked:
        constructor(weights="imagenet", include_top=False, input_shape=(size, size, 3))
    pretrained = spec.pretrained
    assert asked.value.args == (pretrained.name, pretrained.url, "models", pretrained.digest)


@pytest.mark.parametrize("spec", all_specs(), ids=lambda spec: spec.name)
def test_the_smallest_size_is_kerass(spec):
    if spec.is_lite:
        pytest.skip("not a network of Keras Applications; 32 is its total stride")
    constructor = getattr(keras.applications, spec.constructor)
    size = spec.smallest_size - 1
    with pytest.raises(ValueError, match=f"at least {spec.smallest_size}x{spec.smallest_size}"):
        constructor(weights=None, include_top=False, input_shape=(size, size, 3))
