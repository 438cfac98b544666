from pathlib import Path

from pipeline.tuning_tables import describe_epoch, describe_kept, describe_layers, render_tuned
from tests.made_tunings import make_tuned


def test_layers_that_train_are_listed_and_the_others_summed_up():
    lines = describe_layers(make_tuned().layers).splitlines()
    assert [line.split() for line in lines] == [
        ["layer", "kind", "gives", "parameters"],
        ["2", "layers", "2,000", "frozen"],
        ["c", "Conv2D", "7", "×", "7", "×", "16", "1,000", "trains"],
    ]


def test_an_epoch_is_a_line():
    history = make_tuned().history
    said = describe_epoch(history, 9)
    assert said == (
        "Epoch 3 of 9: loss 0.6667, accuracy 83.3 %; validation loss 0.7333, accuracy 80.0 % "
        "(best so far); 1.5 s"
    )
    assert "best so far" not in describe_epoch((*history, history[0]), 9)


def test_what_a_training_came_to():
    said = render_tuned(make_tuned(notes=("a note",)), Path("/cache/weights.h5")).plain
    assert "50.0 % [10.0, 90.0] on 2 test images" in said
    assert "3 of 3: validation accuracy 80.0 % on 1 images" in said
    assert "1,000 of 3,000 parameters in 1 layers, on 8 images, from what block6d_add gave" in said
    assert "4.5 s, 1.5 s an epoch" in said
    assert "/cache/weights.h5" in said
    assert "a note" in said
    assert "from the images" in render_tuned(make_tuned(cut=()), Path("x")).plain


def test_how_much_is_going_to_be_kept_is_said_before_it_is():
    assert "what a gives, computed once: up to 96.3 GB" in describe_kept(("a",), 96_336_000_000)
    assert "what a and b give" in describe_kept(("a", "b"), 1)
