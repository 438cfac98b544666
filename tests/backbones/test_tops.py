"""Whole networks with their own top: which files they need, and that they are Keras's."""

from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format
from keras.src.utils import file_utils

from pipeline.backbones.activation_maps import find_obstacle
from pipeline.backbones.headless import build_network, find_widths
from pipeline.backbones.network import Network, Part
from pipeline.backbones.specs import all_specs, get_spec
from pipeline.backbones.tops import top_spec
from pipeline.backbones.weights import WeightsFile, resolve_weights
from pipeline.errors import BackboneError
from tests.backbones.test_all_backbones import ASKED, AskedError

FEW = ["mobilenet", "mobilenet_v3_small", "convnext_tiny"]
OF_KERAS = [spec for spec in all_specs() if not spec.is_lite]


def make_network(name, weights="random", **changes):
    spec = top_spec(get_spec(name))
    if not isinstance(weights, WeightsFile):
        weights = resolve_weights(spec, weights)
    part = Part(spec=spec, weights=weights, image_size=spec.input_size)
    return Network(parts=(part,), top=True, **changes)


def draw_images(network, n=1):
    side = network.image_sizes[0]
    return np.random.default_rng(0).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


def check_builds(name):
    network = make_network(name)
    model = build_network(network)
    spec = network.parts[0].spec
    assert find_widths(model, network) == (1000,)
    assert model.count_params() == spec.n_parameters
    probabilities = keras.ops.convert_to_numpy(model([draw_images(network)], training=False))
    assert probabilities.shape == (1, 1000)
    assert probabilities.dtype == np.float32
    assert probabilities.sum() == pytest.approx(1, abs=1e-5)
    assert probabilities.min() >= 0


@pytest.mark.parametrize("name", ["efficientnet-lite0", *FEW])
def test_a_whole_network_gives_probabilities(name):
    check_builds(name)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [spec.name for spec in all_specs() if spec.name not in ("efficientnet-lite0", *FEW)]
)
def test_every_whole_network_gives_probabilities(name):
    check_builds(name)


def find_asked(name, monkeypatch):
    """Return what Keras would download for a whole network."""
    spec = get_spec(name)

    def get_file(fname, origin, *, cache_subdir, file_hash=None):
        raise AskedError(fname, origin, cache_subdir, file_hash)

    monkeypatch.setattr(file_utils, "get_file", get_file)
    with pytest.raises(AskedError) as asked:
        getattr(keras.applications, spec.constructor)(
            weights="imagenet", include_top=True, input_shape=(spec.input_size, spec.input_size, 3)
        )
    return asked.value.args


@pytest.mark.parametrize("name", FEW)
def test_keras_asks_for_the_file_that_the_table_names(name, monkeypatch):
    file = top_spec(get_spec(name)).pretrained
    assert find_asked(name, monkeypatch) == (file.name, file.url, "models", file.digest)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in ASKED if name not in FEW])
def test_keras_asks_for_every_file_that_the_table_names(name, monkeypatch):
    file = top_spec(get_spec(name)).pretrained
    assert find_asked(name, monkeypatch) == (file.name, file.url, "models", file.digest)


SOURCE = "\n".join(
    path.read_text(encoding="utf-8")
    for path in sorted(Path(keras.src.applications.__file__).parent.glob("*.py"))
)


@pytest.mark.parametrize("spec", OF_KERAS, ids=lambda spec: spec.name)
def test_every_hash_and_file_is_kerass(spec):
    whole, headless = top_spec(spec).pretrained, spec.pretrained
    assert whole.name != headless.name
    assert whole.url != headless.url
    if headless.digest is None:  # MobileNet and MobileNetV2
        assert whole.digest is None
        return
    assert whole.digest != headless.digest
    assert whole.digest in SOURCE


def test_the_embedded_files_hold_both():
    for number in range(3):
        spec = get_spec(f"efficientnet-lite{number}")
        assert top_spec(spec).pretrained == spec.pretrained


@pytest.mark.parametrize(
    ("name", "ending"), [("mobilenet", ".h5"), ("mobilenet_v3_small", ".weights.h5")]
)
def test_the_probabilities_are_those_of_kerass_own_network(name, ending, tmp_path):
    spec = get_spec(name)
    own = getattr(keras.applications, spec.constructor)(
        weights=None, include_top=True, input_shape=(224, 224, 3)
    )
    path = tmp_path / f"whole{ending}"
    if ending == ".h5":  # as Keras publishes them
        with h5py.File(path, "w") as file:
            legacy_h5_format.save_weights_to_hdf5_group(file, own)
    else:
        own.save_weights(path)
    network = make_network(name, str(path))
    images = draw_images(network, 2)
    prepared = images.astype(np.float32)
    if spec.preprocessing == "tf":
        prepared = keras.applications.mobilenet.preprocess_input(prepared)
    expected = keras.ops.convert_to_numpy(own(prepared, training=False))
    found = keras.ops.convert_to_numpy(build_network(network)([images], training=False))
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.filterwarnings("ignore:Skipping nested container")
def test_headless_weights_are_refused(tmp_path):
    own = keras.applications.MobileNetV3Small(
        weights=None, include_top=False, input_shape=(224, 224, 3)
    )
    path = tmp_path / "headless.weights.h5"
    own.save_weights(path)
    with pytest.raises(BackboneError, match=r"MobileNetV3Small\(include_top=True\)"):
        build_network(make_network("mobilenet_v3_small", str(path)))


def test_probabilities_are_float32_where_the_network_computes_in_bfloat16():
    network = make_network("efficientnet-lite0", "imagenet")
    model = build_network(network, precision="bfloat16")
    probabilities = keras.ops.convert_to_numpy(model([draw_images(network)], training=False))
    assert probabilities.dtype == np.float32
    assert probabilities.sum() == pytest.approx(1, abs=1e-5)


def test_the_mirror_image_counts_as_much():
    images = draw_images(make_network("efficientnet-lite0"), 2)
    found = {}
    for mirrored in (False, True):
        network = make_network("efficientnet-lite0", "imagenet", mirrored=mirrored)
        model = build_network(network)
        found[mirrored] = [
            keras.ops.convert_to_numpy(model([each], training=False))
            for each in (images, images[:, :, ::-1])
        ]
    assert found[True][0] == pytest.approx(sum(found[False]) / 2, abs=1e-6)


def test_a_top_is_another_network_and_no_top_changes_no_key():
    spec = get_spec("efficientnet-lite0")
    headless = Network.of(spec, resolve_weights(spec, "random"))
    whole = make_network("efficientnet-lite0")
    assert "top" not in headless.to_dict()
    assert whole.to_dict() == {**headless.to_dict(), "top": True}
    assert whole.key != headless.key
    # What it was before there were tops.
    assert headless.key == "359b753af9ff903b043f0f4d1fcd36cd548aec49f5203a344b21be6dfe75216c"


def test_probabilities_have_no_maps():
    assert "its own top" in find_obstacle(make_network("efficientnet-lite0"))
