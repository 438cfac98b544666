import numpy as np
import pytest
from PIL import Image

from pipeline.backbones.model_files import FORMATS
from pipeline.backbones.openvino_library import ov
from pipeline.backbones.pillow_resize import resize_like_pillow
from pipeline.backbones.quiet_keras import keras
from pipeline.errors import BackboneError
from pipeline.images import PAD_COLOUR, Geometry, resizes_tall_first
from pipeline.records import BackboneRecipe

# Small and large, wide and tall, odd and even, of one size already, and lines of few pixels.
SHAPES = ((45, 32), (32, 45), (64, 64), (65, 64), (64, 65), (97, 61), (150, 70), (3, 90), (1, 1))


def recipe(size=64, **settings):
    fields = {"resize": "crop", "crop_fraction": 1.0, "interpolation": "bicubic", **settings}
    return BackboneRecipe(
        model="", weights_sha256="", layers=(), input_size=size, preprocessing="", **fields
    )


def build(wanted, *, tall_first=None):
    images = keras.Input((None, None, 3), dtype="uint8")
    first = resizes_tall_first() if tall_first is None else tall_first
    return keras.Model(
        images, resize_like_pillow(images, wanted, margin=PAD_COLOUR, tall_first=first)
    )


def by_pillow(image, wanted):
    geometry = Geometry(
        size=wanted.input_size,
        resize=wanted.resize,
        crop_fraction=wanted.crop_fraction,
        interpolation=wanted.interpolation,
    )
    return np.asarray(geometry.apply(Image.fromarray(image)))


def noise(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)


def differences(model, image, wanted):
    found = model(image[None]).numpy()[0].astype(int)
    assert found.shape == (wanted.input_size, wanted.input_size, 3)
    return np.abs(found - by_pillow(image, wanted))


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("resize", ["crop", "squash", "pad"])
def test_pixels_are_pillows_to_a_grey_level(resize, interpolation):
    wanted = recipe(resize=resize, interpolation=interpolation)
    model = build(wanted)
    for shape in SHAPES:
        off = differences(model, noise(shape), wanted)
        assert off.max() <= 1, shape
        assert (off > 0).mean() < 0.02, shape  # halves of a grey level


def test_a_part_of_the_centre_is_taken():
    wanted = recipe(size=40, crop_fraction=0.875)
    off = differences(build(wanted), noise((90, 81)), wanted)
    assert off.max() <= 1
    assert (off > 0).mean() < 0.01


def test_a_tall_image_is_shrunk_in_the_order_that_pillow_has():
    wanted = recipe()
    tall = noise((150, 70))
    same, other = (
        (differences(build(wanted, tall_first=first), tall, wanted) > 0).mean()
        for first in (resizes_tall_first(), not resizes_tall_first())
    )
    assert same < 0.01
    assert other > 0.1


@pytest.mark.parametrize("resize", ["crop", pytest.param("pad", marks=pytest.mark.slow)])
def test_a_runtime_that_rounds_to_bfloat16_still_finds_the_pixels(resize, tmp_path):
    wanted = recipe(resize=resize)
    images = keras.Input((None, None, 3), dtype="uint8", name="images")
    # As floats: OpenVINO takes bfloat16 between them alone.
    answers = keras.ops.cast(build(wanted)(images), "float32")
    model = keras.Model(images, answers)
    model(np.zeros((1, 8, 8, 3), np.uint8))
    FORMATS["openvino"].write(model, tmp_path / "m.xml", {"class_names": []})
    settings = {"INFERENCE_PRECISION_HINT": "bf16"}
    run = ov.Core().compile_model(tmp_path / "m.xml", "CPU", settings)
    for shape in ((300, 401), (31, 20)):
        image = noise(shape)
        off = np.abs(run([image[None]])[0][0] - by_pillow(image, wanted))
        assert off.mean() < 1.5, shape


def test_images_of_a_batch_are_resized_each_by_itself():
    images = np.stack([noise((50, 41), seed) for seed in range(3)])
    model = build(recipe())
    one_by_one = np.concatenate([model(image[None]).numpy() for image in images])
    np.testing.assert_array_equal(model(images).numpy(), one_by_one)


def test_single_pixels_cannot_be_taken():
    with pytest.raises(BackboneError, match=r"--interpolation nearest cannot .* --format npz"):
        build(recipe(interpolation="nearest"))
