"""The averages of the maps are the transfer values: what makes an explanation exact."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from openvino import opset13

from pipeline.backbones.activation_maps import average_area, find_obstacle, join_mirrored
from pipeline.backbones.converted import ConvertedNetwork
from pipeline.backbones.engines import open_engine
from pipeline.backbones.keras_maps import KerasMaps
from pipeline.backbones.network import Network, Part
from pipeline.backbones.openvino_library import ov
from pipeline.backbones.openvino_maps import OpenVINOMaps, open_kept_maps
from pipeline.backbones.specs import get_spec
from pipeline.backbones.weights import resolve_weights
from pipeline.errors import BackboneError
from pipeline.views import average_views
from tests.backbones.conftest import pattern


def part_of(name, size, layers=(), weights="random"):
    spec = get_spec(name)
    return Part(spec=spec, weights=resolve_weights(spec, weights), image_size=size, layers=layers)


LITE = part_of("efficientnet-lite0", 224, weights="imagenet")
SMALL = part_of("mobilenet", 64)
LAYERS = part_of("vgg16", 32, ("block4_pool", "block2_pool"))
NETWORKS = {
    "real": Network(parts=(LITE,)),
    "mirrored": Network(parts=(LITE,), mirrored=True),
    "two views": Network(parts=(SMALL, LAYERS), mirrored=True, views=2),
    "layers and parts": Network(parts=(LAYERS, SMALL)),
    "layers mirrored": Network(parts=(LAYERS,), mirrored=True),
}


def images_for(network, n_images=5):
    """Pictures whose left and right differ, of every size that the network takes."""
    shifts = [40 * k for k in range(n_images)]
    return tuple(
        np.stack([pattern(size, shift=shift) for shift in shifts]) for size in network.image_sizes
    )


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory):
    """Where each network is converted once for all tests."""
    return tmp_path_factory.mktemp("maps") / "cache"


def open_openvino(network, cache_dir):
    """Convert and keep a network, and open its maps and the engine of its values."""
    engine = open_engine(
        network, batch_size=3, device="cpu", engine="openvino", cache_dir=cache_dir
    )
    maps = open_kept_maps(network, cache_dir, precision="float32")
    assert isinstance(maps, OpenVINOMaps)
    return maps, engine


def values_of(engine, images):
    parts = [tuple(each[i : i + 3] for each in images) for i in range(0, len(images[0]), 3)]
    return np.concatenate(list(engine.infer_many(parts)))


def assert_average_to(maps, values, network):
    assert all(each.dtype == np.float32 for each in maps)
    expected = average_views(values, n_views=network.views)
    error = np.abs(average_area(maps) - expected).max()
    assert error < 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_maps_of_a_converted_network_average_to_its_values(name, cache_dir):
    network = NETWORKS[name]
    engine_maps, engine = open_openvino(network, cache_dir)
    images = images_for(network)
    maps = engine_maps.compute(images)
    assert [len(each) for each in maps] == [5] * len(maps)
    assert_average_to(maps, values_of(engine, images), network)


@pytest.mark.parametrize("name", ["real", "two views", "layers and parts", "layers mirrored"])
def test_keras_has_the_same_maps(name, cache_dir):
    network = NETWORKS[name]
    converted, _ = open_openvino(network, cache_dir)
    images = images_for(network)
    found = KerasMaps(network, device="cpu", precision="float32").compute(images)
    for here, there in zip(found, converted.compute(images), strict=True):
        assert here.shape == there.shape
        np.testing.assert_allclose(here, there, atol=1e-3 * np.abs(there).max())


def test_a_map_is_where_its_part_of_the_image_is(cache_dir):
    """A bright square in a corner changes the maps there and, in a mirrored network, only there."""
    network = replace(NETWORKS["mirrored"], parts=(part_of("vgg16", 64, ("block3_pool",)),))
    maps, _ = open_openvino(network, cache_dir)
    images = np.zeros((2, 64, 64, 3), np.uint8)
    images[1, :16, 48:] = 255
    for engine in (maps, KerasMaps(network, device="cpu", precision="float32")):
        (found,) = engine.compute((images,))
        assert found.shape == (2, 8, 8, 256)
        change = np.abs(found[1] - found[0]).sum(axis=2)
        rows, columns = np.nonzero(change > change.max() / 100)
        assert rows.max() < 5
        assert columns.min() > 2


def test_bfloat16_is_close(cache_dir):
    network = NETWORKS["real"]
    engine, _ = open_openvino(network, cache_dir)
    rough = open_kept_maps(network, cache_dir, precision="bfloat16")
    images = images_for(network, 1)
    exact, near = (average_area(each.compute(images))[0] for each in (engine, rough))
    cosine = exact @ near / np.linalg.norm(exact) / np.linalg.norm(near)
    assert cosine > 0.999


def test_maps_are_read_before_the_next_batch_overwrites_them(cache_dir):
    maps, _ = open_openvino(NETWORKS["layers and parts"], cache_dir)
    images = images_for(NETWORKS["layers and parts"], 9)
    together = maps.compute(images)
    for i in range(9):
        for whole, alone in zip(
            together, maps.compute(tuple(each[i : i + 1] for each in images)), strict=True
        ):
            np.testing.assert_allclose(whole[i], alone[0], rtol=1e-4, atol=1e-4)


def test_a_network_that_was_not_kept_is_not_opened(tmp_path):
    assert open_kept_maps(NETWORKS["real"], tmp_path, precision="float32") is None


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (replace(NETWORKS["real"], pooling="max"), "--pooling max"),
        (replace(NETWORKS["real"], pooling="none"), "--pooling none"),
        (Network(parts=(SMALL, part_of("convnext_tiny", 32))), "convnext_tiny normalises"),
    ],
)
def test_what_stands_against_maps_is_known_before_anything_is_opened(network, words):
    assert words in find_obstacle(network)
    assert find_obstacle(NETWORKS["two views"]) == ""


def test_an_earlier_layer_of_a_convnext_has_maps():
    part = part_of("convnext_tiny", 32, ("convnext_tiny_stage_1_block_2_identity",))
    assert find_obstacle(Network(parts=(part,))) == ""


def save_by_hand(folder, end):
    """A network that only averages the pixels, channels last, and what `end` makes of that."""
    images = opset13.parameter([-1, 32, 32, 3], np.uint8)
    averages = opset13.reduce_mean(opset13.convert(images, "f32"), [1, 2], keep_dims=False)
    path = folder / "network.xml"
    ov.save_model(ov.Model([end(averages)], [images], "by hand"), path, compress_to_fp16=False)
    network = Network(parts=(part_of("mobilenet", 32),))
    return ConvertedNetwork(path=path, network=network, widths=(3,), versions={})


def test_a_network_whose_channels_are_last_has_the_same_maps(tmp_path):
    converted = save_by_hand(tmp_path, lambda averages: averages)
    images = np.stack([pattern(32, shift=shift) for shift in range(5)])
    (maps,) = OpenVINOMaps(converted, precision="float32").compute((images,))
    np.testing.assert_array_equal(maps, images.astype(np.float32))


@pytest.mark.parametrize("end", [opset13.tanh, lambda x: opset13.multiply(x, x)])
def test_values_that_are_changed_after_the_average_are_said_to_have_no_maps(tmp_path, end):
    converted = save_by_hand(tmp_path, end)
    with pytest.raises(BackboneError, match="not averages over the picture's area"):
        OpenVINOMaps(converted, precision="float32")


def test_values_that_keras_did_not_pool_are_said_to_have_no_maps():
    network = Network(parts=(part_of("efficientnet_b0", 32, ("block1a_se_squeeze",)),))
    with pytest.raises(BackboneError, match="not averages over the picture's area"):
        KerasMaps(network, device="cpu", precision="float32")


def test_joined_with_the_mirror_image_a_map_is_turned_back():
    own, mirrored = np.zeros((1, 1, 3, 1), np.float32), np.zeros((1, 1, 3, 1), np.float32)
    own[0, 0, 0], mirrored[0, 0, 2] = 2, 4
    assert join_mirrored(own, mirrored)[0, 0, :, 0].tolist() == [3, 0, 0]


def test_what_is_known_of_maps_loads_no_framework():
    code = "import sys, pipeline.backbones.activation_maps, pipeline.opening\n"
    code += "print({'keras', 'tensorflow', 'openvino'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
