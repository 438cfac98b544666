"""Images a second of the engines, on this machine, and how far their values lie apart.

    python benchmarks/engines.py --model vgg16 --image-size 150
    python benchmarks/engines.py --model efficientnet-lite0

The first row is the loop that tutorials use: one image at a time through `model.predict`. Weights
are random, which does not change the time. A speed is to be read as a ratio within one run.
"""

import argparse
import time

import numpy as np

from pipeline.backbones.engines import open_engine
from pipeline.backbones.headless import build_headless
from pipeline.backbones.quiet_keras import keras
from pipeline.backbones.specs import get_spec
from pipeline.backbones.weights import resolve_weights


def time_loop(model, images: np.ndarray) -> tuple[float, np.ndarray]:
    """Return images a second and the values of a loop over single images."""
    model.predict(images[:1], verbose=0)
    started = time.perf_counter()
    values = [model.predict(images[i : i + 1], verbose=0) for i in range(len(images))]
    return len(images) / (time.perf_counter() - started), np.concatenate(values)


def time_engine(engine, images: np.ndarray) -> tuple[float, np.ndarray]:
    """Return images a second and the values of an engine that gets batch after batch."""
    size = engine.batch_size
    batches = [images[i : i + size] for i in range(0, len(images), size)]
    list(engine.infer_many(batches[:2]))
    started = time.perf_counter()
    values = list(engine.infer_many(batches))
    return len(images) / (time.perf_counter() - started), np.concatenate(values)


def main() -> None:
    """Print one row an engine and precision."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="efficientnet-lite0")
    parser.add_argument("--image-size", type=int)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=32)
    arguments = parser.parse_args()
    spec = get_spec(arguments.model)
    size = arguments.image_size or spec.input_size
    weights = resolve_weights(spec, "random")
    images = np.random.default_rng(0).integers(0, 256, (arguments.images, size, size, 3), np.uint8)

    print(f"{spec.name} at {size}, {len(images)} images in batches of {arguments.batch_size}")
    loop_images = images[: max(8, len(images) // 16)]
    model = build_headless(spec, weights, image_size=size)
    loop_speed, reference = time_loop(model, loop_images)
    print(f"{'keras, one at a time':24} {loop_speed:8.1f} images/s")
    keras.backend.clear_session()
    for name, precision in (
        ("keras", "float32"),
        ("openvino", "float32"),
        ("openvino", "bfloat16"),
    ):
        engine = open_engine(
            spec,
            weights,
            image_size=size,
            batch_size=arguments.batch_size,
            device="cpu",
            precision=precision,
            engine=name,
        )
        speed, values = time_engine(engine, images)
        apart = np.abs(values[: len(reference)] - reference).max() / np.abs(reference).max()
        print(
            f"{name + ' ' + precision:24} {speed:8.1f} images/s  {speed / loop_speed:5.1f} ×"
            f"  values within {apart:.1e} of the largest"
        )


if __name__ == "__main__":
    main()
