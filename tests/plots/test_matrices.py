import numpy as np
import pytest
from matplotlib.colors import to_rgb

from pipeline import plots
from pipeline.plots.matrices import _percent, _readable_on
from tests.plots.drawn import texts_of

MATRIX = [[80, 20, 0], [0, 999, 1], [0, 0, 0]]
NAMES = ("cat", "dog", "owl")


def cells(figure):
    """Return the text of each cell by row and column."""
    return {
        (round(text.get_position()[1]), round(text.get_position()[0])): text
        for text in figure.axes[0].texts
    }


def shares(figure):
    (image,) = figure.axes[0].images
    return np.asarray(image.get_array())


def test_colours_are_shares_of_the_true_class():
    figure = plots.draw_confusion(MATRIX, NAMES)
    assert np.allclose(shares(figure), [[0.8, 0.2, 0], [0, 0.999, 0.001], [0, 0, 0]])
    assert "share of the true class (%)" in texts_of(figure)


def test_cells_have_counts_and_shares_and_empty_ones_nothing():
    found = {
        place: text.get_text() for place, text in cells(plots.draw_confusion(MATRIX, NAMES)).items()
    }
    assert found == {
        (0, 0): "80\n80 %",
        (0, 1): "20\n20 %",
        (1, 1): "999\n>99 %",
        (1, 2): "1\n0.1 %",
    }


def test_text_is_readable_on_its_cell():
    figure = plots.draw_confusion([[90, 10, 0], [30, 50, 20], [1, 2, 97]], NAMES)
    (image,) = figure.axes[0].images
    colours = set()
    for (row, column), text in cells(figure).items():
        ground = image.cmap(image.norm(shares(figure)[row, column]))[:3]
        assert contrast(ground, to_rgb(text.get_color())) > 4.5, (row, column)
        colours.add(text.get_color())
    assert len(colours) == 2


def test_text_stays_within_its_cell():
    n = 12
    matrix = np.full((n, n), 1234) + np.eye(n, dtype=int) * 8000
    figure = plots.draw_confusion(matrix, [f"a rather long name {k}" for k in range(n)])
    figure.draw_without_rendering()
    side = figure.axes[0].get_window_extent().width / n
    widest = max(text.get_window_extent().width for text in figure.axes[0].texts)
    assert 0.5 * side < widest <= side


def test_axes_say_which_is_which():
    axes = plots.draw_confusion(MATRIX, NAMES).axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class")
    assert [text.get_text() for text in axes.get_yticklabels()] == list(NAMES)
    assert [text.get_text() for text in axes.get_xticklabels()] == list(NAMES)
    assert axes.yaxis_inverted()


@pytest.mark.parametrize(
    ("n", "text", "named"), [(13, "5", True), (30, "5", True), (31, None, True), (61, None, False)]
)
def test_more_classes_have_less_text(n, text, named):
    figure = plots.draw_confusion(np.eye(n, dtype=int) * 5, [f"c{k}" for k in range(n)])
    assert {each.get_text() for each in figure.axes[0].texts} == ({text} if text else set())
    assert ("c1" in texts_of(figure)) == named


@pytest.mark.parametrize("n", [120, 1000])
def test_many_classes_are_a_picture_with_numbered_axes(n):
    matrix = np.eye(n, dtype=int) * 9
    matrix[5, 77] = 1
    figure = plots.draw_confusion(matrix, [f"class {k}" for k in range(n)])
    axes = figure.axes[0]
    each = 1 if n == 120 else 4
    assert shares(figure).shape == (n / each, n / each)
    assert shares(figure)[5 // each, 77 // each] == pytest.approx(0.1)
    assert np.count_nonzero(shares(figure)) == n / each + 1
    assert axes.get_xlabel() == f"predicted class, by its number of 0 to {n - 1:,}"
    assert axes.get_xlim() == (-0.5, n - 0.5)
    (image,) = axes.images
    left, right, *_ = image.get_extent()
    assert (right - left) / shares(figure).shape[1] == each
    assert ("the largest of 4 × 4 cells" in " ".join(texts_of(figure))) == (n == 1000)
    assert not [text for text in texts_of(figure) if text.startswith("class ")]


def test_cells_that_are_pooled_lie_where_they_were():
    n = 501
    matrix = np.zeros((n, n), int)
    matrix[n - 1, n - 1] = matrix[0, 0] = 1
    figure = plots.draw_confusion(matrix, [""] * n)
    found = shares(figure)
    assert found.shape == (167, 167)
    assert found[0, 0] == found[-1, -1] == 1
    assert np.count_nonzero(found) == 2


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (1, "100 %"),
        (0.9999, ">99 %"),
        (0.994, "99 %"),
        (0.1, "10 %"),
        (0.0263, "2.6 %"),
        (0.0004, "<0.1 %"),
    ],
)
def test_shares_never_say_all_or_nothing_of_what_is_not(share, shown):
    assert _percent(share) == shown


def luminance(colour):
    linear = np.array([c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour])
    return float(linear @ (0.2126, 0.7152, 0.0722))


def contrast(one, other):
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_black_on_white_and_white_on_black():
    assert contrast(to_rgb(_readable_on((1, 1, 1))), (1, 1, 1)) > 10
    assert contrast(to_rgb(_readable_on((0, 0, 0))), (0, 0, 0)) > 10
