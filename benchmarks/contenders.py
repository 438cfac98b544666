"""What runs in our own environment: Keras as tutorials use it, our engines, decoding, products.

Each imports what it needs by itself, because its memory is measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache, partial
from importlib.metadata import version
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

import contending
import numpy as np
from contending import Task, Work, cut
from numpy.typing import NDArray

from pipeline.backbones.batching import AUTO_BATCH_SIZES
from pipeline.backbones.network import Network
from pipeline.backbones.specs import get_spec
from pipeline.backbones.weights import resolve_weights
from pipeline.config import ExtractConfig
from pipeline.datasets import load_manifest
from pipeline.images import Geometry, read_batches
from pipeline.machine import count_cores

if TYPE_CHECKING:
    import keras

KERAS_BATCH = 32
MATRIX_SIDE = 4096
_DISTINCT = 64  # images in memory, used again and again


def make_network(task: Task) -> Network:
    """Return the network that all contenders run."""
    case, spec = task.case, get_spec(task.case.model)
    weights = resolve_weights(spec, case.weights)
    return Network.of(spec, weights, image_size=case.image_size, pooling=case.pooling)


def make_images(task: Task, n_images: int = _DISTINCT) -> NDArray[np.uint8]:
    """Return random images, uint8 (n_images, S, S, 3)."""
    side = task.case.image_size
    return np.random.default_rng(0).integers(0, 256, (n_images, side, side, 3), np.uint8)


def open_keras_loop(task: Task) -> Work:
    """Decode and predict one photo at a time, as tutorials do."""
    from pipeline.backbones.quiet_keras import keras

    model, photos = _build(task), task.list_photos()
    side = (task.case.image_size, task.case.image_size)

    def run(n_images: int) -> None:
        for path in islice(cycle(photos), n_images):
            image = keras.utils.img_to_array(keras.utils.load_img(path, target_size=side))
            model.predict(image[np.newaxis].astype(np.uint8), verbose=0)

    return _keras_work(model, run, step=1)


def open_keras_folder(task: Task) -> Work:
    """Let Keras read the folder, and predict in batches."""
    from pipeline.backbones.quiet_keras import keras

    model = _build(task)
    side = (task.case.image_size, task.case.image_size)
    batches = keras.utils.image_dataset_from_directory(
        task.photos, label_mode=None, image_size=side, batch_size=KERAS_BATCH, seed=0, verbose=False
    )
    whole = len(task.list_photos()) // KERAS_BATCH
    if not whole:
        raise ValueError(f"{task.photos} holds fewer photos than a batch of {KERAS_BATCH}.")

    def run(n_images: int) -> None:
        model.predict(batches.take(n_images // KERAS_BATCH), verbose=0)

    return _keras_work(model, run, step=KERAS_BATCH, most=whole * KERAS_BATCH)


def open_keras_batches(task: Task) -> Work:
    """Predict an array in memory in batches."""
    model, images = _build(task), make_images(task)
    repeat = lru_cache(maxsize=1)(lambda n_images: images[np.arange(n_images) % len(images)])

    def run(n_images: int) -> None:
        model.predict(repeat(n_images), batch_size=KERAS_BATCH, verbose=0)

    return _keras_work(model, run, step=KERAS_BATCH)


def _build(task: Task) -> keras.Model:
    """Build the network in Keras, its preprocessing inside."""
    from pipeline.backbones.headless import build_network

    return build_network(make_network(task))


def _keras_work(
    model: keras.Model, run: Callable[[int], None], *, step: int, most: int | None = None
) -> Work:
    versions = {name: version(name) for name in ("keras", "numpy")}
    versions["tensorflow"] = _tensorflow_version()
    return Work(run=run, step=step, most=most, gflop=count_gflop(model), versions=versions)


def _tensorflow_version() -> str:
    import tensorflow as tf

    return str(tf.__version__)


def count_gflop(model: keras.Model) -> float:
    """Return the 10⁹ operations of one image: two for each product in a convolution or Dense.

    Normalisations, activations and pooling are left out: they are a few per cent.
    """
    products = 0
    for layer in model._flatten_layers(include_self=False, recursive=True):
        kind = type(layer).__name__
        if kind in ("Conv2D", "DepthwiseConv2D", "SeparableConv2D"):
            _, height, width, _ = layer.output.shape
            products += height * width * _count_kernels(layer)
        elif kind == "Dense":
            products += _count_kernels(layer)
    return 2 * products / 1e9


def _count_kernels(layer: keras.Layer) -> int:
    """Return the numbers in a layer's kernels: its products for one place in the picture."""
    return sum(math.prod(w.shape) for w in layer.trainable_weights if "kernel" in w.name)


def open_keras_engine(task: Task) -> Work:
    """Run our Keras engine on images in memory."""
    from pipeline.backbones.engines import open_engine

    engine = open_engine(
        make_network(task),
        batch_size=AUTO_BATCH_SIZES["keras"],
        device="cpu",
        precision="float32",
        engine="keras",
    )
    return _engine_work(task, engine)


def open_openvino_engine(task: Task, *, precision: str) -> Work:
    """Run our OpenVINO engine on images in memory; Keras is loaded only if nothing was kept."""
    from pipeline.backbones.openvino_engine import open_kept

    network, size = make_network(task), AUTO_BATCH_SIZES["openvino"]
    engine = open_kept(network, task.cache_dir, batch_size=size, precision=precision)
    if engine is None:
        from pipeline.backbones.engines import open_engine

        engine = open_engine(
            network,
            batch_size=size,
            device="cpu",
            precision=precision,
            engine="openvino",
            cache_dir=task.cache_dir,
        )
    return _engine_work(task, engine)


def _engine_work(task: Task, engine: Any) -> Work:
    images, size = make_images(task), engine.batch_size

    def run(n_images: int) -> None:
        batches = ((images[np.array(rows) % len(images)],) for rows in cut(n_images, size))
        for _ in engine.infer_many(batches):
            pass

    return Work(run=run, step=size, versions=engine.versions)


def open_decoding(task: Task) -> Work:
    """Decode photos on all cores, as `extract` does, and compute nothing."""
    config, spec = ExtractConfig(), get_spec(task.case.model)
    manifest = load_manifest(str(task.photos), data_dir=config.data_dir)
    geometry = Geometry(
        size=task.case.image_size,
        resize=spec.resize,
        crop_fraction=spec.crop_fraction,
        interpolation=spec.interpolation,
    )
    order = np.random.default_rng(0).permutation(len(manifest))
    size = AUTO_BATCH_SIZES["openvino"]

    def run(n_images: int) -> None:
        rows = (order[np.array(part) % len(order)] for part in cut(n_images, size))
        for _ in read_batches(manifest, rows, [geometry], workers=count_cores()):
            pass

    return Work(run=run, step=size, versions={"pillow": version("pillow")})


def open_numpy_product(_: Task) -> Work:
    """Multiply two float32 matrices with NumPy."""
    a, b = _make_matrices()
    product = np.empty_like(a)

    def run(n_products: int) -> None:
        for _ in range(n_products):
            np.matmul(a, b, out=product)

    return Work(run=run, step=1, gflop=_product_gflop(), versions={"numpy": np.__version__})


def open_openvino_product(_: Task, *, precision: str) -> Work:
    """Multiply by a constant matrix through OpenVINO, as a network's layer does."""
    import openvino as ov
    from openvino import opset13 as ops

    a, b = _make_matrices()
    given = ops.parameter(a.shape, np.float32)
    model = ov.Model([ops.matmul(given, ops.constant(b), False, False)], [given])
    settings = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
    request = ov.Core().compile_model(model, "CPU", settings).create_infer_request()

    def run(n_products: int) -> None:
        for _ in range(n_products):
            request.infer([a], share_inputs=True, share_outputs=True)

    versions = {"openvino": version("openvino")}
    return Work(run=run, step=1, gflop=_product_gflop(), versions=versions)


def _make_matrices() -> NDArray[np.float32]:
    shape = (2, MATRIX_SIDE, MATRIX_SIDE)
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


def _product_gflop() -> float:
    return 2 * MATRIX_SIDE**3 / 1e9


CONTENDERS: dict[str, Callable[[Task], Work]] = {
    "keras-loop": open_keras_loop,
    "keras-folder": open_keras_folder,
    "keras-batches": open_keras_batches,
    "keras-engine": open_keras_engine,
    "openvino-float32": partial(open_openvino_engine, precision="float32"),
    "openvino-bfloat16": partial(open_openvino_engine, precision="bfloat16"),
    "decoding": open_decoding,
    "numpy-product": open_numpy_product,
    "product-float32": partial(open_openvino_product, precision="f32"),
    "product-bfloat16": partial(open_openvino_product, precision="bf16"),
}

if __name__ == "__main__":
    contending.main(CONTENDERS)
