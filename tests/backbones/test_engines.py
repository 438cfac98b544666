import functools
import gc
import importlib.util
import os
import subprocess
import sys
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.backbones import conversion, engines, keras_engine
from pipeline.backbones.engines import open_engine
from pipeline.backbones.headless import build_headless
from pipeline.backbones.network import Network, Part
from pipeline.backbones.specs import get_spec
from pipeline.backbones.weights import resolve_weights
from pipeline.errors import BackboneError, ConfigError

ENGINES = ("keras", "openvino")


@functools.cache
def open_random(name, **options):
    """Open an engine, or the one of an earlier test: each takes seconds to compile."""
    return open_anew(name, **options)


def open_anew(name, **options):
    spec = get_spec(name)
    settings = {"image_size": 64, "batch_size": 4, "device": "cpu", **options}
    network = Network.of(
        spec,
        resolve_weights(spec, "random"),
        image_size=settings.pop("image_size"),
        pooling=settings.pop("pooling", "avg"),
    )
    return open_engine(network, **settings)


@pytest.mark.parametrize("name", ["vgg16", "mobilenet_v2", "resnet50"])
@pytest.mark.parametrize("engine", ENGINES)
def test_values_are_those_of_kerass_predict(name, engine, noise):
    spec = get_spec(name)
    model = build_headless(spec, resolve_weights(spec, "random"), image_size=64)
    expected = model.predict(noise, verbose=0)
    opened = open_random(name, engine=engine)
    found = opened.infer((noise,))
    assert found.dtype == np.float32
    assert found.shape == (4, spec.width) == (4, opened.width)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_one_image_is_the_same_image_in_a_batch_bit_for_bit(engine, precision, noise):
    opened = open_random("mobilenet_v2", engine=engine, precision=precision)
    together = opened.infer((noise,))
    for position in range(4):
        alone = opened.infer((noise[position : position + 1],))
        np.testing.assert_array_equal(alone[0], together[position])
    np.testing.assert_array_equal(opened.infer((noise[::-1],))[::-1], together)


@pytest.mark.parametrize("engine", ENGINES)
def test_many_batches_come_back_in_order_while_more_are_prepared(engine):
    rng = np.random.default_rng(3)
    sizes = [4, 4, 1, 4, 3, 4, 4, 2]
    batches = [(rng.integers(0, 256, (size, 32, 32, 3), dtype=np.uint8),) for size in sizes]
    opened = open_random("mobilenet_v3_small", image_size=32, engine=engine)
    expected = [opened.infer(batch) for batch in batches]
    buffer = np.empty((4, 32, 32, 3), np.uint8)

    def reuse_one_buffer():
        for (batch,) in batches:
            buffer[: len(batch)] = batch
            yield (buffer[: len(batch)],)

    for found in (opened.infer_many(iter(batches)), opened.infer_many(reuse_one_buffer())):
        for values, wanted in zip(found, expected, strict=True):
            np.testing.assert_array_equal(values, wanted)
    assert list(opened.infer_many([])) == []


def test_openvino_works_ahead_of_the_caller(noise):
    opened = open_random("mobilenet_v2", engine="openvino")
    asked = []

    def batches():
        for number in range(8):
            asked.append(number)
            yield (noise,)

    results = opened.infer_many(batches())
    next(results)
    assert 1 < len(asked) < 8
    results.close()
    del results
    gc.collect()
    assert opened.infer((noise,)).shape == (4, 1280)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_error_while_preparing_reaches_the_caller(engine, noise):
    opened = open_random("mobilenet_v2", engine=engine)

    def batches():
        yield (noise,)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(opened.infer_many(batches()))
    assert opened.infer((noise,)).shape == (4, 1280)


@pytest.mark.parametrize("engine", ENGINES)
def test_precision_is_what_was_asked_for(engine, noise):
    exact = open_random("mobilenet_v2", engine=engine).infer((noise,))
    coarse = open_random("mobilenet_v2", engine=engine, precision="bfloat16").infer((noise,))
    difference = np.abs(coarse - exact).max() / np.abs(exact).max()
    # Eight bits of mantissa: visibly different, and still the same values.
    assert 1e-5 < difference < 0.1


@pytest.mark.parametrize("engine", ENGINES)
def test_images_of_another_shape_or_kind_are_refused(engine, noise):
    opened = open_random("mobilenet_v3_small", engine=engine)
    assert opened.batch_size == 4
    for images in (
        noise.astype(np.float32),
        noise[:, :32],
        noise[0],
        noise[:0],
        np.concatenate([noise, noise]),
    ):
        with pytest.raises(BackboneError, match=r"takes uint8 images of shape \(1 to 4, 64, 64, 3"):
            opened.infer((images,))
    for batch in ((), (noise, noise)):
        with pytest.raises(BackboneError, match=r"takes uint8 images of shape \(1 to 4, 64, 64, 3"):
            opened.infer(batch)


def part(name, size):
    spec = get_spec(name)
    return Part(spec=spec, weights=resolve_weights(spec, "random"), image_size=size)


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(1)
    return tuple(rng.integers(0, 256, (3, size, size, 3), dtype=np.uint8) for size in (64, 48))


@pytest.fixture(scope="module")
def expected(pictures):
    """Values of two backbones for images and mirror images, each through Keras alone."""
    values = []
    for images in (pictures, tuple(array[:, :, ::-1] for array in pictures)):
        for name, array in zip(("mobilenet_v2", "mobilenet_v3_small"), images, strict=True):
            spec = get_spec(name)
            model = build_headless(spec, resolve_weights(spec, "random"), image_size=array.shape[1])
            values.append(model.predict_on_batch(array))
    return values


@pytest.mark.parametrize("engine", ENGINES)
def test_two_backbones_stand_side_by_side(engine, pictures, expected):
    network = Network(parts=(part("mobilenet_v2", 64), part("mobilenet_v3_small", 48)))
    opened = open_engine(network, batch_size=4, device="cpu", engine=engine)
    assert opened.image_sizes == (64, 48)
    found = opened.infer(pictures)
    assert found.shape == (3, 1280 + 576) == (3, opened.width)
    np.testing.assert_allclose(found, np.hstack(expected[:2]), rtol=1e-4, atol=1e-7)
    (many,) = opened.infer_many([pictures])
    np.testing.assert_array_equal(many, found)
    swapped = (pictures[1], pictures[0])
    with pytest.raises(BackboneError, match=r"\(1 to 4, 64, 64, 3\) and \(1 to 4, 48, 48, 3\)"):
        opened.infer(swapped)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_mirror_image_is_averaged_or_kept_behind(engine, pictures, expected):
    parts = (part("mobilenet_v2", 64), part("mobilenet_v3_small", 48))
    image, mirrored = np.hstack(expected[:2]), np.hstack(expected[2:])
    assert np.abs(image - mirrored).max() > 1e-4
    for views, wanted in ((1, (image + mirrored) / 2), (2, np.hstack([image, mirrored]))):
        network = Network(parts=parts, mirrored=True, views=views)
        opened = open_engine(network, batch_size=4, device="cpu", engine=engine)
        found = opened.infer(pictures)
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_batch_size_does_not_change_a_bit(precision):
    rng = np.random.default_rng(2)
    images = rng.integers(0, 256, (21, 64, 64, 3), dtype=np.uint8)
    found = []
    for size in (1, 5, 8, 16):
        opened = open_random(
            "mobilenet_v2", engine="openvino", precision=precision, batch_size=size
        )
        batches = [(images[i : i + size],) for i in range(0, len(images), size)]
        found.append(np.concatenate(list(opened.infer_many(batches))))
    for values in found[1:]:
        np.testing.assert_array_equal(values, found[0])


def test_a_cpu_gets_openvino_and_a_gpu_keras(monkeypatch):
    assert open_random("mobilenet_v3_small").name == "openvino"
    monkeypatch.setattr(engines, "list_gpus", list)
    assert open_anew("mobilenet_v3_small", device="auto").device == "cpu"
    monkeypatch.setattr(engines, "list_gpus", lambda: ["gpu:0", "gpu:1"])
    opened = []
    monkeypatch.setattr(engines, "KerasEngine", lambda network, **options: opened.append(options))
    for device in ("auto", "gpu", "gpu:1"):
        open_anew("mobilenet_v3_small", device=device)
    assert [options["device"] for options in opened] == ["gpu:0", "gpu:0", "gpu:1"]


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(engines, "list_gpus", list)
    with pytest.raises(BackboneError, match="--device gpu: Keras sees no GPU on this machine"):
        open_anew("vgg16", device="gpu")
    monkeypatch.setattr(engines, "list_gpus", lambda: ["gpu:0"])
    with pytest.raises(BackboneError, match="--device gpu:1: Keras sees 1 GPU on this machine"):
        open_anew("vgg16", device="gpu:1")
    with pytest.raises(BackboneError, match="computes on the CPU, not on gpu:0"):
        open_anew("vgg16", device="gpu", engine="openvino")
    with pytest.raises(ConfigError, match="engine must be one of keras, openvino"):
        open_anew("vgg16", engine="torch")


def test_versions_are_told():
    assert set(open_random("mobilenet_v3_small").versions) == {"keras", "openvino", "tensorflow"}
    with_keras = open_random("mobilenet_v3_small", engine="keras").versions
    assert set(with_keras) == {"keras", "tensorflow"}
    assert all(version[0].isdigit() for version in with_keras.values())


def test_out_of_memory_says_what_to_do(noise, monkeypatch):
    class ResourceExhaustedError(Exception):
        pass

    opened = open_anew("mobilenet_v3_small", engine="keras")

    def fail(error):
        def predict_on_batch(images):
            raise error

        monkeypatch.setattr(opened._model, "predict_on_batch", predict_on_batch)

    fail(ResourceExhaustedError("OOM when allocating tensor"))
    with pytest.raises(BackboneError, match=r"out of memory with batches of 4.*--batch-size 2"):
        opened.infer((noise,))
    fail(ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError, match="a bug"):
        opened.infer((noise,))


def test_a_backend_that_cannot_list_devices_has_no_gpu(monkeypatch):
    def refuse(kind):
        raise NotImplementedError

    monkeypatch.setattr(keras_engine.keras.distribution, "list_devices", refuse)
    assert keras_engine.list_gpus() == []


@pytest.mark.gpu
def test_a_gpu_computes_what_the_cpu_computes(noise):
    if not keras_engine.list_gpus():
        pytest.skip("needs a GPU that Keras sees")
    expected = open_random("resnet50", engine="openvino").infer((noise,))
    found = open_random("resnet50", device="gpu").infer((noise,))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_two_batches_at_once_give_the_values_of_one_after_the_other(monkeypatch):
    # What a GPU gets, but on JAX, whose weights serve one call at a time.
    n_threads = 1 if keras_engine.keras.config.backend() == "jax" else 2
    monkeypatch.setattr(keras_engine.keras, "device", lambda place: nullcontext())
    opened = open_anew("mobilenet_v3_small", image_size=32, engine="keras")
    on_gpu = open_keras("mobilenet_v3_small", image_size=32, device="gpu:0")
    assert (opened._n_threads, on_gpu._n_threads) == (1, n_threads)
    rng = np.random.default_rng(4)
    sizes = [4, 4, 1, 4, 3, 4, 4, 2] * 4
    batches = [(rng.integers(0, 256, (size, 32, 32, 3), dtype=np.uint8),) for size in sizes]
    expected = [opened.infer(batch) for batch in batches]
    for values, wanted in zip(on_gpu.infer_many(batches), expected, strict=True):
        np.testing.assert_array_equal(values, wanted)


def open_keras(name, *, image_size, device):
    """Open the Keras engine whether or not there is such a device."""
    spec = get_spec(name)
    network = Network.of(spec, resolve_weights(spec, "random"), image_size=image_size)
    return keras_engine.KerasEngine(network, batch_size=4, device=device, precision="float32")


def test_on_jax_one_batch_is_computed_at_a_time(monkeypatch):
    opened = []
    for backend in ("tensorflow", "torch", "jax"):
        monkeypatch.setattr(keras_engine.keras, "device", lambda place: nullcontext())
        monkeypatch.setattr(keras_engine.keras.config, "backend", lambda backend=backend: backend)
        opened.append(open_keras("mobilenet_v3_small", image_size=32, device="gpu:0")._n_threads)
    assert opened == [2, 2, 1]


def test_pytorchs_gpus_are_counted(monkeypatch):
    torch = SimpleNamespace(cuda=SimpleNamespace(device_count=lambda: 2))
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setattr(keras_engine.keras.config, "backend", lambda: "torch")
    assert keras_engine.list_gpus() == ["gpu:0", "gpu:1"]


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_only_tensorflow_converts_for_openvino(backend, monkeypatch, tmp_path):
    monkeypatch.setattr(conversion.keras.config, "backend", lambda: backend)
    network = Network(parts=(part("mobilenet_v3_small", 32),))
    with pytest.raises(BackboneError, match=rf"not on {backend}\. Run .* KERAS_BACKEND=tensorflow"):
        conversion.convert(network, tmp_path)
    assert list(tmp_path.iterdir()) == []


COMPARE = """
import sys
import numpy as np
from pipeline.backbones.engines import open_engine
from pipeline.backbones.network import Network, Part
from pipeline.backbones.specs import get_spec
from pipeline.backbones.weights import resolve_weights
spec = get_spec("mobilenet_v3_small")
weights = resolve_weights(spec, "random")
parts = tuple(Part(spec=spec, weights=weights, image_size=size) for size in (32, 48))
network = Network(parts=parts, mirrored=True, views=2)
engine = open_engine(network, batch_size=4, device="cpu", engine="keras")
images = np.load(sys.argv[1])
np.save(sys.argv[2], engine.infer(tuple(images[:3, :size, :size] for size in (32, 48))))
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend_computes_the_same_values(backend, noise, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"needs {backend}, one of Keras's other backends")
    np.save(tmp_path / "images.npy", noise)
    subprocess.run(
        [sys.executable, "-c", COMPARE, tmp_path / "images.npy", tmp_path / "values.npy"],
        env={**os.environ, "KERAS_BACKEND": backend},
        check=True,
    )
    parts = (part("mobilenet_v3_small", 32), part("mobilenet_v3_small", 48))
    network = Network(parts=parts, mirrored=True, views=2)
    opened = open_engine(network, batch_size=4, device="cpu", engine="keras")
    expected = opened.infer(tuple(noise[:3, :size, :size] for size in (32, 48)))
    found = np.load(tmp_path / "values.npy")
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
