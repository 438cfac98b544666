import numpy as np
import pytest
from matplotlib.colors import to_hex

from pipeline import plots
from pipeline.palette import CLASS_COLOURS
from tests.plots.drawn import legend_of, texts_of

RNG = np.random.default_rng(0)


def clouds(n_classes, n_each=20, spread=0.3):
    """Classes as clouds on a grid."""
    y = np.repeat(np.arange(n_classes), n_each)
    centres = np.column_stack([np.arange(n_classes) % 10, np.arange(n_classes) // 10]) * 4.0
    return (centres[y] + spread * RNG.normal(size=(len(y), 2))).astype(np.float32), y


def draw(n_classes, *, n_each=20, wrong=(), axes=("", ""), names=None):
    points, y = clouds(n_classes, n_each)
    is_wrong = np.zeros(len(y), bool)
    is_wrong[list(wrong)] = True
    names = names or [f"class {k}" for k in range(n_classes)]
    figure = plots.draw_map(points, y, is_wrong, names, title="t-SNE of it", axes=axes)
    return figure, points, y


def places(collection):
    return np.asarray(collection.get_offsets())


class TestMap:
    def test_each_class_is_where_its_points_are_in_its_own_colour_and_shape(self):
        figure, points, y = draw(5)
        drawn = figure.axes[0].collections
        assert len(drawn) == 5
        for k, collection in enumerate(drawn):
            assert np.array_equal(places(collection), points[y == k])
        assert len({tuple(each.get_facecolor()[0]) for each in drawn}) == 5
        assert len({each.get_paths()[0].vertices.tobytes() for each in drawn}) == 5

    def test_ten_classes_have_the_ten_colours_of_pages(self):
        figure, *_ = draw(10)
        drawn = figure.axes[0].collections
        assert tuple(to_hex(each.get_facecolor()[0]) for each in drawn) == CLASS_COLOURS

    @pytest.mark.parametrize(("n", "size", "alpha"), [(100, 22, 0.8), (10_000, 4, 0.5)])
    def test_many_points_are_small_and_faint_but_seen(self, n, size, alpha):
        figure, *_ = draw(2, n_each=n // 2)
        for drawn in figure.axes[0].collections:
            assert drawn.get_sizes() == [size]
            assert drawn.get_alpha() == pytest.approx(alpha)

    def test_mistakes_are_crossed_out(self):
        figure, points, _ = draw(3, wrong=(4, 30))
        white, black = figure.axes[0].collections[-2:]
        for crosses in (white, black):
            assert np.array_equal(places(crosses), points[[4, 30]])
            assert crosses.get_zorder() > figure.axes[0].collections[0].get_zorder()
        assert white.get_linewidths()[0] > black.get_linewidths()[0]
        assert legend_of(figure)[-1] == "wrong answer (2 of 60)"

    def test_without_mistakes_there_are_no_crosses(self):
        figure, *_ = draw(3)
        assert len(figure.axes[0].collections) == 3
        assert legend_of(figure) == ["class 0", "class 1", "class 2"]

    def test_names_stand_at_the_middle_of_their_class(self):
        figure, points, y = draw(3)
        named = {text.get_text(): text.get_position() for text in figure.axes[0].texts}
        assert set(named) == {"class 0", "class 1", "class 2"}
        own = points[y == 1]
        distances = np.linalg.norm(own - np.median(own, axis=0), axis=1)
        assert np.array_equal(named["class 1"], own[distances.argmin()])

    def test_a_name_stands_at_a_point_of_its_own_class_even_if_that_is_in_two_parts(self):
        own = np.array([[0.0, 0], [0, 1], [10, 0], [10, 1]])
        other = np.array([[5.0, 0.5], [5, 0.4]])
        y = np.repeat([0, 1], [4, 2])
        figure = plots.draw_map(np.vstack([own, other]), y, y > 1, ("cat", "dog"), title="")
        named = {text.get_text(): text.get_position() for text in figure.axes[0].texts}
        assert list(named["cat"]) in own.tolist()
        (halo,) = figure.axes[0].texts[0].get_path_effects()
        assert halo._gc == {"linewidth": 3.2, "foreground": "#ffffff"}

    def test_a_name_that_would_hide_another_is_left_to_the_legend(self):
        points = np.vstack([RNG.normal(size=(40, 2))] * 2)
        y = np.repeat([0, 1], 40)
        figure = plots.draw_map(points, y, y > 1, ("cat", "dog"), title="")
        assert [text.get_text() for text in figure.axes[0].texts] == ["cat"]
        assert legend_of(figure) == ["cat", "dog"]

    def test_a_unit_is_as_long_on_both_axes_and_all_points_are_within(self):
        figure, points, _ = draw(7)
        axes = figure.axes[0]
        figure.draw_without_rendering()
        box = axes.get_window_extent()
        (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
        assert box.width / (right - left) == pytest.approx(box.height / (top - bottom), rel=1e-3)
        low, high = points.min(axis=0), points.max(axis=0)
        assert left < low[0] < high[0] < right
        assert bottom < low[1] < high[1] < top
        assert max((high - low) / (right - left, top - bottom)) > 0.9

    def test_axes_are_named_where_they_mean_something(self):
        figure, *_ = draw(3, axes=("component 1", "component 2"))
        axes = figure.axes[0]
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("component 1", "component 2")
        assert len(axes.get_xticks())
        figure, *_ = draw(3)
        assert len(figure.axes[0].get_xticks()) == len(figure.axes[0].get_yticks()) == 0
        assert "t-SNE of it" in texts_of(figure)

    def test_twelve_classes_are_named(self):
        figure, *_ = draw(12)
        assert len(legend_of(figure)) == 12

    @pytest.mark.parametrize("n_classes", [13, 120, 1000])
    def test_of_more_it_is_said_that_their_colours_repeat(self, n_classes):
        figure, points, _ = draw(n_classes, n_each=3, wrong=(1,), axes=("first", "second"))
        said = f"{n_classes:,} classes: their colours and shapes repeat"
        assert figure.axes[0].get_xlabel() == f"first\n{said}"
        assert legend_of(figure) == [f"wrong answer (1 of {3 * n_classes:,})"]
        assert sum(len(places(each)) for each in figure.axes[0].collections) == len(points) + 2
        assert not figure.axes[0].texts

    def test_many_points_are_a_picture_in_an_svg(self):
        few, *_ = draw(2, n_each=100)
        many, *_ = draw(2, n_each=5_000)
        assert b"<image" not in plots.to_svg(few)
        svg = plots.to_svg(many)
        assert svg.count(b"<image") == 1
        assert len(svg) < 700_000
        assert b"class 1</text>" in svg

    def test_labels_that_are_none_colour_nothing(self):
        points, y = clouds(1)
        figure = plots.draw_map(points, y, y > 1, ("",), title="")
        assert figure.axes[0].get_legend() is None
        assert not figure.legends
        assert not figure.axes[0].texts

    @pytest.mark.parametrize(
        "points", [np.zeros((1, 2)), np.ones((4, 2)), np.eye(2) * [[1e-9], [0]]]
    )
    def test_points_that_lie_on_each_other_are_drawn(self, points):
        y = np.zeros(len(points), int)
        assert plots.to_png(plots.draw_map(points, y, y > 1, ("a", "b"), title=""))


class TestPareto:
    POINTS = (
        ("quick", 4.0, 0.88, 0.86, 0.9, True),
        ("good", 15.0, 0.93, 0.92, 0.94, True),
        ("neither", 30.0, 0.85, 0.8, 0.89, False),
    )

    def test_every_point_has_its_name_and_interval(self):
        figure = plots.draw_pareto(self.POINTS)
        axes = figure.axes[0]
        assert {text.get_text() for text in axes.texts} == {"quick", "good", "neither"}
        assert {tuple(text.xy) for text in axes.texts} == {(p[1], p[2]) for p in self.POINTS}
        ends = [np.array(lines.get_segments())[0, :, 1] for lines in axes.collections]
        assert np.allclose(ends, [(0.86, 0.9), (0.92, 0.94), (0.8, 0.89)])
        assert axes.get_xlabel() == "time per image (ms, log scale)"
        assert axes.get_ylabel() == "accuracy (%)"

    def test_a_line_joins_the_front(self):
        axes = plots.draw_pareto(self.POINTS[::-1]).axes[0]
        (front,) = [line for line in axes.lines if line.get_drawstyle() == "steps-post"]
        assert front.get_xydata().tolist() == [[4, 0.88], [15, 0.93]]

    def test_who_is_not_on_the_front_looks_different_without_colour(self):
        axes = plots.draw_pareto(self.POINTS).axes[0]
        markers = {
            float(line.get_xdata()[0]): line.get_marker()
            for line in axes.lines
            if line.get_marker() in ("o", "s")
        }
        assert markers == {4.0: "o", 15.0: "o", 30.0: "s"}

    def test_no_name_hides_another_and_none_leaves_the_axes(self):
        close = [
            (f"a name of some length {k}", 5.0 + k / 10, 0.9 - k / 100, 0.85, 0.95, True)
            for k in range(4)
        ]
        far = [("at the right edge of it all", 300.0, 0.99, 0.9, 1.0, True)]
        figure = plots.draw_pareto([*close, *far])
        figure.draw_without_rendering()
        axes = figure.axes[0]
        boxes = [text.get_window_extent() for text in axes.texts]
        for i, box in enumerate(boxes):
            assert axes.bbox.x0 <= box.x0
            assert box.x1 <= axes.bbox.x1
            assert box.y1 <= axes.bbox.y1
            assert not any(box.overlaps(other) for other in boxes[:i])

    def test_the_axis_ends_at_100_percent_and_nothing_is_cut_off_there(self):
        axes = plots.draw_pareto([("a", 5.0, 0.99, 0.9, 1.04, True)]).axes[0]
        assert axes.get_ylim()[1] == 1
        (whisker,) = axes.collections
        assert np.allclose(whisker.get_segments()[0][:, 1], (0.9, 1))
        assert not any(artist.get_clip_on() for artist in (whisker, *axes.lines[:3]))

    def test_a_single_point_is_drawn(self):
        assert plots.to_png(plots.draw_pareto([("a", 5.0, 1.0, 1.0, 1.0, True)]))
