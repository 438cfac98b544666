import numpy as np
import pytest

from pipeline import plots
from tests.plots.drawn import legend_of, texts_of


def scores(name, f1, *, recall=0.8, precision=0.6):
    return {
        "name": name,
        "recall": recall,
        "recall_ci": None if recall is None else [recall - 0.1, recall + 0.05],
        "precision": precision,
        "precision_ci": None if precision is None else [precision - 0.2, precision + 0.1],
        "f1": f1,
    }


def names_of(figure):
    return [text.get_text() for text in figure.axes[0].get_yticklabels()]


def test_bars_are_recall_and_precision_with_their_intervals():
    figure = plots.draw_per_class([scores("cat", 0.7), scores("dog", 0.5, recall=0.4)])
    axes = figure.axes[0]
    recall, precision = axes.containers[0], axes.containers[2]
    assert [bar.get_width() for bar in recall] == [0.8, 0.4]
    assert [bar.get_width() for bar in precision] == [0.6, 0.6]
    assert [len({b.get_hatch() for b in bars}) for bars in (recall, precision)] == [1, 1]
    assert recall[0].get_hatch() != precision[0].get_hatch()
    of_recall, of_precision = (np.array(lines.get_segments()) for lines in axes.collections)
    assert np.allclose(of_recall[:, :, 0], [(0.7, 0.85), (0.3, 0.45)])
    assert np.allclose(of_precision[:, :, 0], [(0.4, 0.7), (0.4, 0.7)])
    assert legend_of(figure) == ["recall", "precision"]
    assert axes.get_xlabel() == "recall, precision (%)"
    assert axes.get_xlim() == (0, 1)


def test_the_first_class_is_at_the_top():
    figure = plots.draw_per_class([scores("cat", 0.7), scores("dog", 0.5)])
    axes = figure.axes[0]
    assert names_of(figure) == ["cat", "dog"]
    assert axes.yaxis_inverted()
    cat, dog = axes.containers[0]
    assert cat.get_y() < axes.get_yticks()[0] < dog.get_y() < axes.get_yticks()[1]


def test_what_is_not_defined_is_a_dash():
    figure = plots.draw_per_class([scores("cat", None, recall=None), scores("dog", 0.5)])
    assert [text.get_text() for text in figure.axes[0].texts] == ["–"]
    assert plots.to_png(figure)


def test_thirty_classes_are_all_there():
    figure = plots.draw_per_class([scores(f"c{k}", 1 - k / 100) for k in range(30)])
    assert names_of(figure) == [f"c{k}" for k in range(30)]
    assert figure.axes[0].get_title(loc="left") == ""


@pytest.mark.parametrize("n", [31, 120, 1000])
def test_of_more_the_worst_and_the_best_are_there_and_it_says_so(n):
    order = np.random.default_rng(0).permutation(n)
    figure = plots.draw_per_class(
        [scores(f"c{rank}", rank / n) for rank in order] + [scores("no test image", None)]
    )
    assert names_of(figure) == [
        *(f"c{rank}" for rank in range(20)),
        *(f"c{rank}" for rank in range(n - 5, n)),
    ]
    assert f"20 worst and 5 best of {n + 1:,} classes by F1" in texts_of(figure)
