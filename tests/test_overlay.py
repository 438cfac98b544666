import io

import numpy as np
import pytest
from PIL import Image

from pipeline.images import overlay

LIMIT = 2.0


def laid_over(pixels, heat, limit=LIMIT):
    data = overlay(pixels, np.array(heat, float), limit=limit)
    image = Image.open(io.BytesIO(data))
    assert image.format == "WEBP"
    return np.asarray(image, float)


def flat(level, size=(64, 64)):
    return np.full((*size, 3), level, np.uint8)


def test_the_picture_has_the_size_of_the_photo():
    assert laid_over(flat(100, (40, 60)), np.ones((7, 7))).shape == (40, 60, 3)


@pytest.mark.parametrize("level", [0, 60, 128, 200, 255])
def test_orange_is_for_and_blue_against_on_dark_and_on_light(level):
    seen = laid_over(flat(level), [[LIMIT, -LIMIT]])
    orange, blue = seen[32, 4], seen[32, 59]
    assert orange[0] > orange[1] > orange[2]
    assert orange[0] - orange[2] > 60
    assert blue[2] > blue[1] > blue[0]
    assert blue[2] - blue[0] > 40


def test_where_nothing_speaks_the_photo_is_grey_and_as_light_as_it_was():
    pixels = flat(0)
    pixels[:] = (200, 100, 50)
    seen = laid_over(pixels, np.zeros((2, 2)))
    expected = 0.299 * 200 + 0.587 * 100 + 0.114 * 50
    assert np.abs(seen - expected).max() < 6


def test_more_heat_is_more_colour_and_none_is_stronger_than_the_limit():
    def colour(heat):
        seen = laid_over(flat(128), [[heat]])[32, 32]
        return seen[0] - seen[2]

    strengths = [colour(heat) for heat in (0, 0.2, 0.6, 1.2, LIMIT)]
    assert strengths == sorted(strengths)
    assert strengths[-1] > strengths[1] + 50
    assert colour(5 * LIMIT) == strengths[-1]


def test_light_and_shade_are_seen_through_the_strongest_colour():
    pixels = flat(40)
    pixels[:, 32:] = 210
    seen = laid_over(pixels, [[LIMIT]]).mean(axis=2)
    assert seen[:, 40:].min() - seen[:, :24].max() > 50


def test_colour_lies_where_the_heat_is():
    heat = np.zeros((4, 4))
    heat[0, 3] = LIMIT
    seen = laid_over(flat(128), heat)
    strength = seen[..., 0] - seen[..., 2]
    assert strength[:12, 52:].min() > 60
    assert np.abs(strength[24:, :]).max() < 12


def test_the_two_colours_differ_in_more_than_red_and_green():
    """Along blue and yellow, which those without red or green cones see."""
    seen = laid_over(flat(128), [[LIMIT, -LIMIT]])
    yellow = seen[32, :, :2].mean(axis=1) - seen[32, :, 2]
    assert yellow[4] - yellow[59] > 120


def test_the_photo_and_the_heat_stay_as_they_are():
    pixels, heat = flat(100), np.ones((2, 2))
    pixels.flags.writeable = heat.flags.writeable = False
    overlay(pixels, heat, limit=1)
