from dataclasses import dataclass

import numpy as np
import pytest

from pipeline import plots
from tests.plots.drawn import legend_of, texts_of


@dataclass(frozen=True)
class Bin:
    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


BINS = (
    Bin(0.4, 0.5, 3, 0.45, 1 / 3),
    Bin(0.5, 0.6, 20, 0.56, 0.5),
    Bin(0.9, 1.0, 1200, 0.97, 0.99),
)
TUNING = {
    "parameter": "C",
    "scoring": "balanced_accuracy",
    "n_folds": 5,
    "n_rows": 1438,
    "values": [1.0, 0.001, 0.032],
    "means": [0.91, 0.85, 0.97],
    "stds": [0.03, 0.01, 0.02],
    "best": 0.032,
    "extended": False,
}
LOSS = {"loss": [2.0, 1.0, 0.5, 0.4], "validation_accuracy": [0.5, 0.7, 0.9, 0.8], "best_epoch": 3}
CURVE = {
    "sizes": [100, 200, 400],
    "accuracy": [0.8, 0.85, 0.9],
    "std": [0.02, 0.01, 0.005],
    "n_folds": 5,
    "law": {"a": 0.05, "b": 2.0, "c": 0.6},
    "forecast": [
        {"n": 800, "accuracy": 0.92, "low": 0.9, "high": 0.93},
        {"n": 4000, "accuracy": 0.94, "low": 0.91, "high": 0.96},
    ],
}


def whiskers(axes):
    """Return the ends of the error bars of each series."""
    return [np.array(lines.get_segments()) for lines in axes.collections]


class TestCalibration:
    def test_bins_are_where_their_answers_are(self):
        figure = plots.draw_calibration(BINS, error=0.031)
        top, bottom = figure.axes
        (dots,) = [each for each in top.collections if len(each.get_offsets()) == 3]
        assert np.allclose(dots.get_offsets(), [(b.confidence, b.accuracy) for b in BINS])
        areas = dots.get_sizes()
        assert areas[0] < areas[1] < areas[2]
        assert [bar.get_height() for bar in bottom.patches] == [3, 20, 1200]
        assert np.allclose([bar.get_x() for bar in bottom.patches], [0.4, 0.5, 0.9])
        assert np.allclose([bar.get_width() for bar in bottom.patches], 0.1)
        assert {"3", "20", "1,200"} <= texts_of(figure)

    def test_the_distance_from_the_diagonal_is_drawn_and_said(self):
        figure = plots.draw_calibration(BINS, error=0.031)
        (gaps,) = [each for each in figure.axes[0].collections if hasattr(each, "get_segments")]
        expected = [[(b.confidence, b.confidence), (b.confidence, b.accuracy)] for b in BINS]
        assert np.allclose(gaps.get_segments(), expected)
        assert "their distance, 3.1 % on average" in legend_of(figure)

    def test_the_axes_end_where_shares_do_and_no_dot_is_cut_off(self):
        figure = plots.draw_calibration([Bin(0.9, 1, 10, 1, 1), Bin(0, 0.1, 3, 0, 0)], error=0)
        top, _ = figure.axes
        assert (*top.get_xlim(), *top.get_ylim()) == (0, 1, 0, 1)
        (dots,) = [each for each in top.collections if not hasattr(each, "get_segments")]
        assert not dots.get_clip_on()

    def test_axes_have_names_and_units(self):
        top, bottom = plots.draw_calibration(BINS, error=0.031).axes
        assert top.get_ylabel() == "accuracy (%)"
        assert bottom.get_xlabel() == "probability of the answer (%)"
        assert bottom.get_ylabel() == "answers"


class TestTuning:
    def test_values_come_in_order_with_their_spread(self):
        figure = plots.draw_tuning(TUNING)
        (axes,) = figure.axes
        assert axes.lines[0].get_xdata().tolist() == [0.001, 0.032, 1.0]
        assert axes.lines[0].get_ydata().tolist() == [0.85, 0.97, 0.91]
        (spread,) = whiskers(axes)
        assert np.allclose(spread[:, :, 1], [(0.84, 0.86), (0.95, 0.99), (0.88, 0.94)])
        assert axes.get_ylabel() == "balanced accuracy (%)"
        assert axes.get_xlabel() == "C (log scale)"
        assert axes.get_xscale() == "log"

    def test_the_axis_ends_at_100_percent_and_so_does_the_spread(self):
        figure = plots.draw_tuning({**TUNING, "means": [0.99, 0.97, 1.0]})
        (axes,) = figure.axes
        assert axes.get_ylim()[1] == 1
        assert max(axes.get_yticks()) <= 1
        (spread,) = whiskers(axes)
        assert np.allclose(spread[:, :, 1], [(0.96, 0.98), (0.98, 1), (0.96, 1)])
        assert not any(line.get_clip_on() for line in axes.lines)

    def test_what_was_taken_has_a_ring(self):
        figure = plots.draw_tuning(TUNING)
        (ring,) = [line for line in figure.axes[0].lines if line.get_markerfacecolor() == "none"]
        assert ring.get_xydata().tolist() == [[0.032, 0.97]]
        assert legend_of(figure) == ["mean of 5 folds ± standard deviation", "taken: 0.032"]

    def test_numbers_at_the_axes_are_plain(self):
        texts = texts_of(plots.draw_tuning(TUNING))
        assert {"0.001", "0.01", "0.1", "1"} <= texts
        assert not any("$" in text or "10^" in text for text in texts)

    def test_values_of_one_size_are_spread_evenly(self):
        few = {**TUNING, "parameter": "n_neighbors", "values": [1, 5, 10], "best": 5}
        (axes,) = plots.draw_tuning(few).axes
        assert axes.get_xscale() == "linear"
        assert axes.get_xlabel() == "n_neighbors"

    def test_a_held_out_part_has_no_spread(self):
        figure = plots.draw_tuning({**TUNING, "n_folds": 1, "stds": [0.0, 0.0, 0.0]})
        assert whiskers(figure.axes[0]) == []
        assert legend_of(figure)[0] == "on a held-out part of 1,438 images"


class TestLoss:
    def test_both_curves_begin_at_epoch_one(self):
        figure = plots.draw_loss(LOSS)
        top, bottom = figure.axes
        for axes, values in ((top, LOSS["loss"]), (bottom, LOSS["validation_accuracy"])):
            assert axes.lines[0].get_xdata().tolist() == [1, 2, 3, 4]
            assert axes.lines[0].get_ydata().tolist() == values
            assert axes.lines[1].get_xdata() == [3, 3]
        assert (top.get_ylabel(), bottom.get_ylabel()) == ("training loss", "held-out accuracy (%)")
        assert bottom.get_xlabel() == "epoch"
        assert legend_of(figure) == ["taken: epoch 3"]

    def test_accuracy_ends_at_100_percent(self):
        _, bottom = plots.draw_loss({**LOSS, "validation_accuracy": [0.9, 1, 1, 1]}).axes
        assert bottom.get_ylim()[1] == 1
        assert not bottom.lines[0].get_clip_on()

    def test_without_held_out_images_there_is_only_the_loss(self):
        figure = plots.draw_loss({**LOSS, "validation_accuracy": None})
        (axes,) = figure.axes
        assert axes.get_ylabel() == "training loss"
        assert axes.get_xlabel() == "epoch"

    def test_a_single_epoch_is_drawn(self):
        loss = {"loss": [1.0], "validation_accuracy": None, "best_epoch": 1}
        assert plots.to_png(plots.draw_loss(loss))


class TestLearningCurve:
    def test_it_shows_what_was_measured_and_what_is_expected(self):
        figure = plots.draw_learning_curve(CURVE)
        (axes,) = figure.axes
        measured = axes.lines[0]
        (law,) = [line for line in axes.lines if len(line.get_xdata()) == 200]
        (ahead,) = [line for line in axes.lines if line.get_marker() == "s"]
        assert measured.get_xydata().tolist() == [[100, 0.8], [200, 0.85], [400, 0.9]]
        assert ahead.get_xydata().tolist() == [[800, 0.92], [4000, 0.94]]
        n = law.get_xdata()
        assert (n[0], n[-1]) == pytest.approx((100, 4000))
        assert np.allclose(law.get_ydata(), 1 - (0.05 + 2 * n**-0.6))
        spread, interval = whiskers(axes)
        assert np.allclose(spread[0, :, 1], (0.78, 0.82))
        assert np.allclose(interval[1, :, 1], (0.91, 0.96))
        assert axes.get_xlabel() == "training images (log scale)"
        assert legend_of(figure) == [
            "mean of 5 folds ± standard deviation",
            "power law",
            "forecast, 95 % interval",
        ]

    def test_the_axis_ends_at_100_percent_and_so_do_the_intervals(self):
        ahead = [{"n": 800, "accuracy": 1.0, "low": 0.97, "high": 1.02}]
        near = {**CURVE, "accuracy": [0.9, 0.98, 0.99], "std": [0.02] * 3, "forecast": ahead}
        (axes,) = plots.draw_learning_curve(near).axes
        assert axes.get_ylim()[1] == 1
        spread, interval = whiskers(axes)
        assert np.allclose(spread[:, :, 1], [(0.88, 0.92), (0.96, 1), (0.97, 1)])
        assert np.allclose(interval[0, :, 1], (0.97, 1))

    def test_without_folds_there_is_no_spread_and_no_forecast(self):
        bare = {**CURVE, "std": None, "law": None, "forecast": [], "n_folds": 1}
        figure = plots.draw_learning_curve(bare)
        assert whiskers(figure.axes[0]) == []
        assert legend_of(figure) == ["measured"]
        assert figure.axes[0].get_xlabel() == "training images"

    def test_no_accuracy_is_below_zero(self):
        steep = {**CURVE, "law": {"a": 0.5, "b": 80.0, "c": 1.0}}
        (axes,) = plots.draw_learning_curve(steep).axes
        (law,) = [line for line in axes.lines if len(line.get_xdata()) == 200]
        assert law.get_ydata().min() == 0
