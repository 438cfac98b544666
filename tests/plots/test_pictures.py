from itertools import combinations

import numpy as np
import pytest
from matplotlib.text import Text

from pipeline import plots
from pipeline.plots.pictures import _gather, _to_square

RNG = np.random.default_rng(0)


def photo(height, width):
    return RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("draw", [plots.draw_image_grid, plots.draw_errors, plots.draw_answers])
def test_every_image_is_drawn_below_its_title(draw):
    images = [photo(20, 30), photo(8, 8), photo(40, 20), photo(16, 16)]
    figure = draw(images, ["a", "b", "c\nwas d", "e"])
    assert len(figure.axes) == 4
    for axes, image in zip(figure.axes, images, strict=True):
        assert np.array_equal(axes.images[0].get_array(), image)
        assert len(axes.get_xticks()) == 0
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["a", "b", "c\nwas d", "e"]


def test_errors_are_framed_and_other_images_less_so():
    (error,) = plots.draw_errors([photo(8, 8)], ["a"]).axes
    (other,) = plots.draw_image_grid([photo(8, 8)], ["a"]).axes
    assert error.spines["left"].get_linewidth() > other.spines["left"].get_linewidth()
    assert error.spines["left"].get_edgecolor() != other.spines["left"].get_edgecolor()


def _titles_of(axes):
    return [each for each in axes.findobj(Text) if each.get_text() == "a"]


def test_labels_of_errors_are_larger():
    (error,) = plots.draw_errors([photo(8, 8)], ["a"]).axes
    (other,) = plots.draw_image_grid([photo(8, 8)], ["a"]).axes
    sizes = [max(text.get_fontsize() for text in _titles_of(axes)) for axes in (error, other)]
    assert sizes == [8.5, 7]


@pytest.mark.parametrize("draw", [plots.draw_image_grid, plots.draw_errors, plots.draw_answers])
@pytest.mark.parametrize("n", [1, 5, 12, 13, 24, 50])
def test_nothing_overlaps_and_nothing_leaves_the_figure(n, draw):
    figure = draw([photo(30, 20 + k) for k in range(n)], ["one\ntwo\n96 %"] * n)
    figure.draw_without_rendering()
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    for i, box in enumerate(boxes):
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= figure.bbox.x1
        assert box.y1 <= figure.bbox.y1
        assert not any(box.overlaps(other) for other in boxes[:i])


def test_wide_images_leave_no_gap_below():
    wide, square = (plots.draw_errors([photo(side, 20)] * 5, ["a"] * 5) for side in (10, 20))
    assert wide.get_figheight() < 0.7 * square.get_figheight()


def test_long_titles_stay_above_their_image():
    names = [f"{'a very long class name ' * 3}{k}" for k in range(6)]
    figure = plots.draw_errors([photo(20, 20)] * 6, [f"{name}\n→ {name}" for name in names])
    figure.draw_without_rendering()
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    for one, other in combinations(boxes, 2):
        assert not one.overlaps(other)
    assert all(axes.get_title(loc="left").endswith(str(k)) for k, axes in enumerate(figure.axes))


def test_pixels_of_small_images_are_seen():
    small, large = plots.draw_image_grid([photo(16, 16), photo(200, 100)], ["", ""]).axes
    assert small.images[0].get_interpolation() == "none"
    assert large.images[0].get_interpolation() != "none"


def test_no_images_make_an_empty_figure():
    assert plots.to_png(plots.draw_image_grid([], []))


class TestValues:
    def test_image_picture_and_bars_are_of_the_same_values(self):
        image, values = photo(10, 14), RNG.random(1280).astype(np.float32)
        figure = plots.draw_values(image, values, "cat\ncat/1.jpg")
        left, right, below = figure.axes[:3]
        assert np.array_equal(left.images[0].get_array(), image)
        assert left.get_title() == "cat\ncat/1.jpg"
        assert right.images[0].get_array().shape == (32, 40)
        assert np.array_equal(right.images[0].get_array().ravel(), values)
        (bars,) = below.patches
        assert np.array_equal(bars.get_data().values, values)
        assert np.array_equal(bars.get_data().edges, np.arange(1281))
        assert below.get_xlabel() == "index of the transfer value"
        assert right.get_title() == "its 1,280 transfer values, row by row"

    def test_of_many_values_each_bar_is_the_largest_of_several_and_says_so(self):
        values = RNG.normal(size=25_088)
        below = plots.draw_values(photo(4, 4), values, "a").axes[2]
        assert below.get_ylabel() == "value, the largest of each 10"
        heights = below.patches[0].get_data().values
        assert len(heights) == 2_509
        assert heights[3] == values[30:40].max()
        assert heights[-1] == values[25_080:].max()
        assert below.patches[0].get_data().edges[-1] == 25_090

    @pytest.mark.parametrize(
        ("n", "shape"),
        [(1, (1, 1)), (3, (1, 3)), (12, (3, 4)), (2048, (32, 64)), (8192, (64, 128))],
    )
    def test_values_fill_about_a_square(self, n, shape):
        square = _to_square(np.arange(n))
        assert square.shape == shape
        assert np.array_equal(square.ravel(), np.arange(n))

    def test_a_prime_number_of_values_leaves_a_rest(self):
        square = _to_square(np.arange(1009.0))
        assert square.shape == (31, 33)
        assert np.array_equal(square.ravel()[:1009], np.arange(1009))
        assert np.isnan(square.ravel()[1009:]).all()

    def test_few_values_are_their_own_bars(self):
        values = RNG.random(7)
        heights, n_each = _gather(values)
        assert np.array_equal(heights, values)
        assert n_each == 1
