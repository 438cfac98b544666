import inspect

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format
from keras.src.utils import file_utils

from pipeline.backbones.headless import build_headless, preprocess
from pipeline.backbones.specs import PREPROCESSINGS, all_specs, get_spec
from pipeline.backbones.weights import WeightsFile, resolve_weights
from pipeline.errors import BackboneError, ConfigError

KERAS_SPECS = [spec for spec in all_specs() if not spec.is_lite]


def build(name, *, weights="random", **options) -> keras.Model:
    spec = get_spec(name)
    return build_headless(spec, resolve_weights(spec, weights), **options)


def values(model, images) -> np.ndarray:
    return model.predict_on_batch(images)


@pytest.mark.parametrize("spec", KERAS_SPECS, ids=lambda spec: spec.name)
def test_preprocessing_is_kerass_own_bit_for_bit(spec):
    images = np.random.default_rng(1).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    module = inspect.getmodule(inspect.unwrap(getattr(keras.applications, spec.constructor)))
    tensor = keras.ops.convert_to_tensor(images.astype(np.float32))
    expected = keras.ops.convert_to_numpy(module.preprocess_input(tensor))
    found = keras.ops.convert_to_numpy(preprocess(images, PREPROCESSINGS[spec.preprocessing]))
    np.testing.assert_array_equal(found, expected)
    on_array = module.preprocess_input(images.astype(np.float32))
    np.testing.assert_allclose(found, on_array, rtol=0, atol=1e-5)


def test_lite_preprocessing():
    images = np.array([[[[0, 127, 255]]]], np.uint8)
    found = keras.ops.convert_to_numpy(preprocess(images, PREPROCESSINGS["lite"]))
    np.testing.assert_array_equal(found, [[[[-127 / 128, 0, 1]]]])


def reference(name, images, weights_path) -> np.ndarray:
    """What a user of Keras computes with `preprocess_input` and a headless model."""
    spec = get_spec(name)
    constructor = getattr(keras.applications, spec.constructor)
    model = constructor(
        weights=weights_path, include_top=False, input_shape=images.shape[1:], pooling="avg"
    )
    module = inspect.getmodule(inspect.unwrap(constructor))
    return model.predict(module.preprocess_input(images.astype(np.float32)), verbose=0)


def save_random(name, path, size=64) -> WeightsFile:
    """Save the random weights of a backbone the way Keras publishes its own."""
    spec = get_spec(name)
    model = build_headless(spec, resolve_weights(spec, "random"), image_size=size)
    backbone = next(layer for layer in model.layers if isinstance(layer, keras.Model))
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.Normalization) and layer.weights:
            # As in the published files: the deviation stands where the variance belongs.
            figures = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225], 0]
            layer.set_weights([np.array(figure, np.float32) for figure in figures])
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, backbone)
    return WeightsFile(kind="imagenet", path=path, sha256="")


@pytest.mark.parametrize(
    "name",
    ["vgg16", "resnet50", "mobilenet_v2", "densenet121", "convnext_tiny", "mobilenet_v3_small"],
)
def test_a_file_gives_what_keras_gives(name, noise, tmp_path):
    weights = save_random(name, tmp_path / "w.h5")
    found = values(build_headless(get_spec(name), weights, image_size=64), noise)
    expected = reference(name, noise, tmp_path / "w.h5")
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", ["efficientnet_b0", "nasnet_mobile"])
def test_a_file_gives_what_keras_gives_for_imagenet(name, noise, tmp_path, monkeypatch):
    # `weights="imagenet"` builds another EfficientNet than a file does; we always build one.
    weights = save_random(name, tmp_path / "w.h5")
    monkeypatch.setattr(file_utils, "get_file", lambda *_, **__: str(tmp_path / "w.h5"))
    expected = reference(name, noise, "imagenet")
    found = values(build_headless(get_spec(name), weights, image_size=64), noise)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_a_users_efficientnet_without_imagenets_scaling_is_left_alone(noise, tmp_path):
    model = keras.applications.EfficientNetB0(
        weights=None, include_top=False, input_shape=(64, 64, 3)
    )
    path = tmp_path / "mine.weights.h5"
    model.save_weights(path)
    expected = reference("efficientnet_b0", noise, path)
    found = values(build("efficientnet_b0", weights=str(path), image_size=64), noise)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_weights_that_are_not_finite_are_refused(tmp_path):
    model = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(32, 32, 3))
    kernel = model.layers[1].weights[0]
    kernel.assign(np.full(kernel.shape, np.nan))
    path = tmp_path / "nan.weights.h5"
    model.save_weights(path)
    with pytest.raises(BackboneError, match="not finite"):
        build("mobilenet_v2", weights=str(path), image_size=32)


def test_random_weights_are_the_same_every_time_and_leave_the_generators_alone(noise):
    state = np.random.get_state()[1].copy()
    first = values(build("mobilenet_v2", image_size=64), noise)
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    keras.utils.set_random_seed(99)
    np.testing.assert_array_equal(values(build("mobilenet_v2", image_size=64), noise), first)
    assert np.ptp(first, axis=0).max() > 0


def test_vgg16_at_150_flattened_is_8192_wide():
    model = build("vgg16", image_size=150, pooling="none")
    assert model.output_shape == (None, 8192)
    assert model.input_shape == (None, 150, 150, 3)
    assert model.input.dtype == "uint8"


def test_pooling_and_layers_are_joined_in_the_order_asked_for(noise):
    flat = values(build("vgg16", image_size=64, layers=["block4_pool"], pooling="none"), noise)
    assert flat.shape == (4, 4 * 4 * 512)
    cube = flat.reshape(4, 4, 4, 512)
    average = values(build("vgg16", image_size=64, layers=["block4_pool"]), noise)
    largest = values(build("vgg16", image_size=64, layers=["block4_pool"], pooling="max"), noise)
    np.testing.assert_allclose(average, cube.mean(axis=(1, 2)), rtol=1e-4)
    np.testing.assert_array_equal(largest, cube.max(axis=(1, 2)))
    last = values(build("vgg16", image_size=64), noise)
    both = values(build("vgg16", image_size=64, layers=["block5_pool", "block4_pool"]), noise)
    np.testing.assert_allclose(both, np.hstack([last, average]), rtol=1e-5)


def test_a_vector_layer_is_taken_as_it_is(noise):
    name = "mobilenet_v3_small"
    layer = "expanded_conv_squeeze_excite_avg_pool"
    with pytest.raises(ConfigError, match="Did you mean"):
        build(name, image_size=64, layers=[layer + "x"])
    assert build(name, image_size=64, layers=[layer], pooling="none").output_shape[1] == 16


def test_an_unknown_layer_gets_the_closest_ones():
    with pytest.raises(ConfigError, match=r"'block4_pol' is not a layer of vgg16.*block4_pool"):
        build("vgg16", image_size=64, layers=["block4_pol"])


def test_an_image_smaller_than_the_network_can_take_is_refused():
    with pytest.raises(ConfigError, match=r"--image-size 70 is too small for xception.*least 71"):
        build("xception", image_size=70)


def test_bad_options_are_refused():
    with pytest.raises(ConfigError, match="--pooling must be one of"):
        build("vgg16", image_size=64, pooling="mean")
    with pytest.raises(ConfigError, match="--precision must be one of"):
        build("vgg16", image_size=64, precision="auto")


def test_a_users_keras_settings_do_not_change_the_network(noise):
    expected = values(build("mobilenet_v2", image_size=64), noise)
    keras.config.set_dtype_policy("mixed_float16")
    keras.config.set_image_data_format("channels_first")
    try:
        model = build("mobilenet_v2", image_size=64)
        assert keras.config.dtype_policy().name == "mixed_float16"
        assert keras.config.image_data_format() == "channels_first"
        np.testing.assert_array_equal(values(model, noise), expected)
    finally:
        keras.config.set_dtype_policy("float32")
        keras.config.set_image_data_format("channels_last")


def test_weights_of_another_network_are_refused(tmp_path):
    weights = save_random("mobilenet_v2", tmp_path / "w.h5")
    with pytest.raises(BackboneError, match=r"w\.h5 cannot be loaded into vgg16: .*VGG16"):
        build_headless(get_spec("vgg16"), weights, image_size=64)
    with pytest.raises(BackboneError, match="cannot be loaded into mobilenet:"):
        build_headless(get_spec("mobilenet"), weights, image_size=64)


@pytest.mark.parametrize("kind", ["link", "soft link", "storage", "virtual"])
def test_fault_56_a_file_that_opens_other_files_is_refused(tmp_path, kind):
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["kernel"] = np.zeros(4)
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("layers/conv")
        if kind == "link":
            group["kernel"] = h5py.ExternalLink(str(other), "kernel")
        elif kind == "soft link":
            group["kernel"] = h5py.SoftLink("/layers")
        elif kind == "storage":
            group.create_dataset("kernel", (4,), "f8", external=[(str(other), 0, 32)])
        else:
            layout = h5py.VirtualLayout((4,), "f8")
            layout[:] = h5py.VirtualSource(str(other), "kernel", (4,))
            group.create_virtual_dataset("kernel", layout)
    with pytest.raises(BackboneError, match=r"(has a link at|keeps) /layers/conv/kernel"):
        build("vgg16", weights=str(path), image_size=32)


@pytest.mark.parametrize("kind", ["group in itself", "type", "no array", "array of nothing"])
def test_fault_56_odd_files_are_refused_and_do_not_hang(tmp_path, kind):
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("layers/conv")
        if kind == "group in itself":
            group["again"] = file["layers"]
        elif kind == "type":
            group["again"] = np.dtype("f4")
        elif kind == "array of nothing":
            group["again"] = h5py.Empty("f4")
    with pytest.raises(BackboneError, match=r"w\.h5 cannot be loaded into vgg16"):
        build("vgg16", weights=str(path), image_size=32)


def test_fault_56_an_array_that_would_fill_the_memory_is_refused(tmp_path):
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("kernel", (10**6, 10**6), "f4", chunks=(1000, 1000))
    assert path.stat().st_size < 10_000
    with pytest.raises(BackboneError, match=r"/kernel has 1,000,000,000,000 numbers"):
        build("vgg16", weights=str(path), image_size=32)


def save_with_lambda(path, proof):
    """Save a whole VGG16 with a layer that touches `proof` as soon as the model is loaded."""
    backbone = keras.applications.VGG16(weights=None, include_top=False, input_shape=(64, 64, 3))
    code = f"lambda x: (__import__('pathlib').Path({str(proof)!r}).touch(), x)[1]"
    output = keras.layers.Lambda(eval(code))(backbone.output)
    model = keras.Model(backbone.input, output)
    if path.suffix == ".h5":
        legacy_h5_format.save_model_to_hdf5(model, path, include_optimizer=False)
    else:
        model.save(path)
    proof.unlink()  # building the model ran it once


def test_fault_56_a_model_with_code_in_it_gives_its_weights_and_runs_none(tmp_path, noise):
    path, proof = tmp_path / "whole.h5", tmp_path / "executed"
    save_with_lambda(path, proof)
    found = values(build("vgg16", weights=str(path), image_size=64), noise)
    assert not proof.exists()
    expected = reference("vgg16", noise, path)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
    legacy_h5_format.load_model_from_hdf5(path, safe_mode=False)
    assert proof.exists()  # the code is live: only not loading the model held it back


def test_a_layer_has_the_same_name_whatever_was_built_before():
    for _ in range(2):
        assert build("mobilenet_v3_small", image_size=32, layers=("re_lu",)).output_shape[1] > 0
        build("mobilenet_v2", image_size=32)


@pytest.mark.parametrize("name", ["m.keras", "m.h5", "m.weights.h5"])
def test_fault_56_a_model_with_code_in_it_is_refused_whatever_it_is_called(tmp_path, name):
    path, proof = tmp_path / "m.keras", tmp_path / "executed"
    save_with_lambda(path, proof)
    renamed = path.rename(tmp_path / name)
    with pytest.raises(BackboneError, match=r"never loaded|is not an HDF5 file"):
        build("vgg16", weights=str(renamed), image_size=64)
    assert not proof.exists()
    keras.models.load_model(renamed.rename(path), safe_mode=False)
    assert proof.exists()
