import numpy as np
import pytest

from pipeline import plots
from pipeline.palette import CLASS_COLOURS
from pipeline.plots.ranking_curves import _write_area
from tests.plots.drawn import legend_of

X = np.array([0.0, 0.0, 0.5, 1.0])
Y = np.array([0.0, 0.6, 0.8, 1.0])


def curves(n, *, area=0.7):
    return [(f"class {k}", X, Y, area + k / 1000) for k in range(n)]


def long_lines(axes):
    return [line for line in axes.lines if len(line.get_xdata()) > 2]


@pytest.mark.parametrize(
    ("area", "written"),
    [
        (1.0, "1.000"),
        (1 - 1e-15, "1.000"),
        (0.9994, "0.999"),
        (0.9996, "0.9996"),
        (0.99996, "0.99996"),
        (0.9999999, ">0.999999"),
        (0.5, "0.500"),
    ],
)
def test_only_what_is_1_is_written_as_1(area, written):
    assert _write_area(area) == written


@pytest.mark.parametrize("draw", [plots.draw_roc, plots.draw_precision_recall])
class TestColours:
    def test_ten_classes_have_ten_colours_and_no_dashes(self, draw):
        lines = long_lines(draw(curves(10)).axes[0])
        assert tuple(line.get_color() for line in lines) == CLASS_COLOURS
        assert {line.get_linestyle() for line in lines} == {"-"}

    def test_a_curve_has_the_colour_of_its_class(self, draw):
        lines = long_lines(draw(curves(2), classes=[1, 7]).axes[0])
        assert [line.get_color() for line in lines] == [CLASS_COLOURS[1], CLASS_COLOURS[7]]

    def test_the_worst_of_many_are_told_apart(self, draw):
        lines = long_lines(draw(curves(12), classes=range(12)).axes[0])
        assert len({line.get_color() for line in lines}) == 4


class TestRoc:
    def test_each_curve_is_drawn_as_it_is(self):
        figure = plots.draw_roc([("cat", X, Y, 0.75), ("dog", X, Y**2, 0.65)])
        (axes,) = figure.axes
        drawn = long_lines(axes)
        assert [line.get_xydata().tolist() for line in drawn] == [
            np.column_stack([X, Y]).tolist(),
            np.column_stack([X, Y**2]).tolist(),
        ]
        assert drawn[0].get_color() != drawn[1].get_color()
        assert legend_of(figure) == ["cat, 0.750", "dog, 0.650"]
        assert axes.get_xlabel() == "false positive rate"
        assert axes.get_ylabel() == "true positive rate (recall)"

    def test_chance_is_a_diagonal(self):
        (axes,) = plots.draw_roc(curves(1)).axes
        (chance,) = [line for line in axes.lines if len(line.get_xdata()) == 2]
        assert chance.get_xydata().tolist() == [[0, 0], [1, 1]]

    def test_ten_are_named_and_eleven_summed_up(self):
        assert len(legend_of(plots.draw_roc(curves(10)))) == 10
        figure = plots.draw_roc(curves(11))
        assert legend_of(figure) == [
            "middle 90 % of 11",
            "mean, 0.705",
            "class 0, 0.700",
            "class 1, 0.701",
            "class 2, 0.702",
        ]
        assert figure.legends[0].get_title().get_text() == "AUC: mean and 3 worst of 11 classes"

    @pytest.mark.parametrize("n", [120, 1000])
    def test_the_mean_of_many_is_their_mean(self, n):
        rng = np.random.default_rng(0)
        heights = rng.random(n)
        many = [
            (f"{k}", np.array([0, 0, 1.0]), np.array([0, height, 1.0]), (1 + height) / 2)
            for k, height in enumerate(heights)
        ]
        (axes,) = plots.draw_roc(many).axes
        (mean,) = [line for line in axes.lines if len(line.get_xdata()) > 100]
        at = mean.get_xdata()
        # Each rises straight up to its height, and then evenly to 1.
        assert np.allclose(
            mean.get_ydata(), np.mean(heights[:, None] + (1 - heights[:, None]) * at, axis=0)
        )
        (band,) = axes.collections
        (low, high) = np.quantile(heights, (0.05, 0.95))
        at_zero = [y for x, y in band.get_paths()[0].vertices if x == 0]
        assert min(at_zero) == pytest.approx(low)
        assert max(at_zero) == pytest.approx(high)

    def test_a_good_classifiers_corner_is_enlarged(self):
        figure = plots.draw_roc(curves(3, area=0.98))
        (axes,) = figure.axes
        (corner,) = axes.child_axes
        assert np.allclose(corner.get_xlim(), (0, 0.2), atol=0.01)
        assert np.allclose(corner.get_ylim(), (0.8, 1), atol=0.01)
        for there, here in zip(long_lines(corner), long_lines(axes), strict=True):
            assert there.get_xydata().tolist() == here.get_xydata().tolist()
            assert there.get_color() == here.get_color()
        assert len(legend_of(figure)) == 3
        assert plots.draw_roc(curves(3, area=0.8)).axes[0].child_axes == []

    def test_no_legend_leaves_the_figure(self):
        wide = [("W" * 40, X, Y, 0.7)] * 10
        figure = plots.draw_roc(wide)
        figure.draw_without_rendering()
        box = figure.legends[0].get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1


class TestPrecisionRecall:
    RECALL = np.array([0, 0.5, 0.5, 1.0, 1.0, 1.0])
    PRECISION = np.array([1, 0.9, 0.6, 0.8, 0.3, 0.2])

    def test_steps_end_where_all_is_found(self):
        figure = plots.draw_precision_recall([("cat", self.RECALL, self.PRECISION, 0.85)])
        (line,) = figure.axes[0].lines
        assert line.get_xdata().tolist() == [0, 0.5, 0.5, 1]
        assert line.get_ydata().tolist() == [1, 0.9, 0.6, 0.8]
        assert line.get_drawstyle() == "steps-pre"
        assert legend_of(figure) == ["cat, 0.850"]

    def test_the_area_below_the_steps_is_the_average_precision(self):
        figure = plots.draw_precision_recall([("cat", self.RECALL, self.PRECISION, 0.85)])
        x, y = figure.axes[0].lines[0].get_xydata().T
        assert np.sum(np.diff(x) * y[1:]) == pytest.approx(0.5 * 0.9 + 0.5 * 0.8)

    def test_the_mean_of_many_is_taken_where_a_recall_is_first_reached(self):
        many = [(f"{k}", self.RECALL, self.PRECISION, 0.85) for k in range(20)]
        (axes,) = plots.draw_precision_recall(many).axes
        (mean,) = [line for line in axes.lines if len(line.get_xdata()) > 100]
        at, found = mean.get_xydata().T
        assert np.allclose(found[at == 0], 1)
        assert np.allclose(found[(at > 0) & (at <= 0.5)], 0.9)
        assert np.allclose(found[at > 0.5], 0.8)
