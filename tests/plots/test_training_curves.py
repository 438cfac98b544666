import pytest

from pipeline.plots import draw_training, to_inline_svg
from tests.made_tunings import make_tuned


@pytest.mark.parametrize("n_epochs", [1, 3])
def test_loss_and_accuracy_are_drawn_for_both_kinds_of_images(n_epochs):
    history = make_tuned().history[:n_epochs]
    figure = draw_training(history, best_epoch=n_epochs)
    loss, accuracy = figure.axes
    for axes, name in ((loss, "loss"), (accuracy, "accuracy")):
        seen, held_out, best = axes.lines
        assert list(seen.get_xdata()) == list(range(1, n_epochs + 1))
        assert list(seen.get_ydata()) == [getattr(each, name) for each in history]
        drawn = list(held_out.get_ydata())
        assert drawn == [getattr(each, f"validation_{name}") for each in history]
        assert set(best.get_xdata()) == {n_epochs}
    assert loss.get_ylim()[0] == 0
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "training images",
        "validation images",
        f"taken: epoch {n_epochs}",
    ]
    assert to_inline_svg(figure, name="finetuning").startswith("<svg")
