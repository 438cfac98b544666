import csv
import importlib.resources

import numpy as np
import pytest

from pipeline.backbones.efficientnet_lite import (
    build_efficientnet_lite,
    load_state_dict,
)
from pipeline.backbones.engines import open_engine
from pipeline.backbones.network import Network
from pipeline.backbones.quiet_keras import keras
from pipeline.backbones.specs import get_spec
from pipeline.backbones.torch_weights import read_state_dict
from pipeline.backbones.weights import resolve_weights
from pipeline.errors import BackboneError
from pipeline.images import Geometry, decode_image
from tests.backbones.conftest import pattern

# The eight largest transfer values of `pattern`, and its five most likely classes.
GOLDEN = {
    "efficientnet-lite0": (
        [113, 989, 897, 327, 1126, 115, 949, 1189],
        [5.2345, 5.0754, 5.0480, 4.1885, 3.9589, 3.6365, 3.5071, 3.4292],
        [885, 854, 506, 644, 723],
    ),
    "efficientnet-lite1": (
        [486, 605, 255, 881, 1039, 330, 1200, 940],
        [4.4595, 4.2953, 3.5123, 3.2966, 3.2286, 3.1318, 2.9647, 2.9354],
        [818, 644, 619, 854, 417],
    ),
    "efficientnet-lite2": (
        [1064, 467, 1057, 127, 140, 820, 480, 466],
        [3.8244, 3.6300, 2.8452, 2.8222, 2.8022, 2.7977, 2.6542, 2.5852],
        [854, 417, 782, 916, 723],
    ),
}


def classifier(spec) -> keras.Model:
    model = build_efficientnet_lite(spec.constructor, image_size=spec.input_size, include_top=True)
    load_state_dict(model, read_state_dict(resolve_weights(spec, "imagenet").path))
    return model


def classify(model, images) -> np.ndarray:
    return model.predict_on_batch((images.astype(np.float32) - 127) / 128)


@pytest.mark.parametrize("name", GOLDEN)
def test_the_transfer_values_of_a_fixed_picture(name):
    places, values, top5 = GOLDEN[name]
    spec = get_spec(name)
    images = pattern(spec.input_size)[np.newaxis]
    network = Network.of(spec, resolve_weights(spec, "imagenet"))
    engine = open_engine(network, batch_size=1, device="cpu", engine="keras")
    found = engine.infer((images,))[0]
    assert np.argsort(-found)[:8].tolist() == places
    np.testing.assert_allclose(found[places], values, rtol=1e-3)
    logits = classify(classifier(spec), images)[0]
    assert np.argsort(-logits)[:5].tolist() == top5


# Measured with a centre crop, bicubic: 54, 51 and 53 of 60. One photo may go either way.
@pytest.mark.parametrize(("number", "at_least"), [(0, 53), (1, 50), (2, 52)])
def test_real_photos_are_recognised(real_data, number, at_least):
    spec = get_spec(f"efficientnet-lite{number}")
    paths = sorted((real_data / "imagenet-sample").glob("*.JPEG"))
    assert len(paths) == 60
    geometry = Geometry(
        size=spec.input_size,
        resize=spec.resize,
        crop_fraction=spec.crop_fraction,
        interpolation=spec.interpolation,
    )
    images = np.stack([decode_image(path.read_bytes(), geometry) for path in paths])
    table = importlib.resources.files("pipeline.backbones") / "imagenet_classes.csv"
    with table.open() as file:
        classes = {row["wnid"]: int(row["index"]) for row in csv.DictReader(file)}
    expected = np.array([classes[path.name.partition("_")[0]] for path in paths])
    n_right = int((classify(classifier(spec), images).argmax(axis=1) == expected).sum())
    assert n_right >= at_least


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("_blocks.3._bn1.bias"), r"lack _blocks\.3\._bn1\.bias"),
        (lambda state: state.update(extra=np.zeros(3)), "1 arrays are left over.*'extra'"),
        (
            lambda state: state.update({"_conv_head.weight": np.zeros((1280, 319, 1, 1))}),
            r"do not fit layer top_conv: .* \(1, 1, 319, 1280\), expected \(1, 1, 320, 1280\)",
        ),
    ],
)
def test_weights_of_another_network_are_refused(change, message):
    spec = get_spec("efficientnet-lite0")
    state = read_state_dict(resolve_weights(spec, "imagenet").path)
    change(state)
    model = build_efficientnet_lite(spec.constructor, image_size=32)
    with pytest.raises(BackboneError, match=message):
        load_state_dict(model, state)


def test_weights_of_lite1_do_not_go_into_lite0():
    state = read_state_dict(resolve_weights(get_spec("efficientnet-lite1"), "imagenet").path)
    model = build_efficientnet_lite("EfficientNetLite0", image_size=32)
    with pytest.raises(BackboneError, match=r"the weights (lack|do not fit)"):
        load_state_dict(model, state)
