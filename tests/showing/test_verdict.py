import pytest

from pipeline.records import Called, Figure
from pipeline.showing.verdict import judge_fit, write_sentence, write_verdict
from tests.made_reports import make_report


def baseline(name, accuracy, *, margin=0.05):
    return {
        "name": name,
        "accuracy": accuracy,
        "accuracy_ci": [accuracy - margin, accuracy + margin],
        "n_train": 160,
        "n_test": 40,
    }


MAJORITY = baseline("most frequent class", 0.5)
KNN = baseline("10 nearest neighbours", 0.85)
COLOURS = baseline("colour histogram", 0.6)


def worth(**changes):
    return write_sentence(judge_fit(make_report(**changes)).worth)


def caveats(**changes):
    return write_sentence(judge_fit(make_report(**changes)).caveats)


def make_curve(*forecast, last=0.9):
    return {
        "sizes": [16, 64, 128],
        "accuracy": [0.7, 0.85, last],
        "std": [0.02, 0.01, 0.01],
        "n_folds": 5,
        "law": None,
        "forecast": [
            dict(zip(("n", "accuracy", "low", "high"), each, strict=True)) for each in forecast
        ],
    }


def make_twins(n_exact=0, n_near=0, without=0.88):
    return {
        "threshold": 0.8,
        "n_exact": n_exact,
        "n_near": n_near,
        "n_without": 30,
        "accuracy_without": without,
        "accuracy_without_ci": without and [0.7, 0.95],
        "price": without and 0.02,
        "pairs": [],
    }


def test_the_accuracy_comes_first_with_its_interval():
    first, second, third = write_verdict(make_report())
    assert first == "90.0 % [76.9, 96.0] of 40 test images are named correctly."
    assert second.startswith("That is ")
    assert second.endswith(".")
    assert third.endswith(".")


def test_more_is_clearly_more_only_where_intervals_do_not_overlap():
    assert worth(baselines=(MAJORITY, KNN)) == (
        "That is clearly more than always naming the most frequent class (50.0 %), but not shown "
        "to differ from 10 nearest neighbours (85.0 %): the intervals overlap; it is a rough "
        "figure, for 40 test images are few."
    )


def test_a_classifier_that_learnt_nothing_is_told_so():
    said = worth(baselines=(baseline("most frequent class", 0.88),))
    assert said.startswith(
        "That is not shown to differ from always naming the most frequent class (88.0 %)"
    )
    less = worth(accuracy=0.3, intervals={**make_report().intervals, "accuracy": [0.25, 0.34]})
    assert less.startswith("That is clearly less than always naming the most frequent class")


def test_the_best_of_the_others_is_named():
    assert "colour histogram" not in worth(baselines=(MAJORITY, COLOURS, KNN))
    assert "and a colour histogram (60.0 %)" in worth(baselines=(MAJORITY, COLOURS))


def test_nearest_neighbours_are_not_compared_with_themselves():
    assert "nearest" not in worth(baselines=(MAJORITY, KNN), clf="knn")
    assert "nearest" in worth(baselines=(MAJORITY, KNN), clf="logreg")


def test_without_a_baseline_nothing_is_compared():
    assert worth(baselines=()).startswith("That cannot be compared with a simple answer")


def test_a_narrow_interval_is_not_called_rough():
    narrow = {**make_report().intervals, "accuracy": [0.89, 0.91]}
    assert "rough" not in worth(intervals=narrow)
    assert "rough" in worth()


def test_the_largest_confusion_is_called_by_its_names():
    assert caveats().startswith("Most often dog is taken for cat: 3 of 20 (15.0 %); ")


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((), "No test image is named wrongly"),
        ((1, 1), "No two classes are confused more than once"),
        ((2, 2), "Most often dog is taken for cat: 2 of 20 (10.0 %), and as often cat is taken"),
        ((2, 2, 2), "No confusion stands out: several are as frequent as the first"),
    ],
)
def test_a_confusion_is_a_pattern_only_if_it_stands_out(counts, said):
    ways = (("dog", "cat"), ("cat", "dog"), ("dog", "cat"))
    pairs = tuple(
        {"true": true, "predicted": predicted, "count": count}
        for (true, predicted), count in zip(ways, counts, strict=False)
    )
    assert caveats(confused_pairs=pairs).startswith(said)


def test_twins_are_told_with_what_the_accuracy_is_without_them():
    assert "nobody looked whether test images are in training, too" in caveats(twins=None)
    assert "no test image has a twin in training" in caveats(twins=make_twins())
    assert "1 test image has a twin in training (on the others" in caveats(twins=make_twins(1))
    assert (
        "3 test images have a twin in training (on the others the accuracy is 88.0 % [70.0, 95.0])"
        in caveats(twins=make_twins(1, 2))
    )
    assert "nothing is known of images that are new" in caveats(twins=make_twins(40, without=None))


@pytest.mark.parametrize(
    ("forecast", "said"),
    [
        ((256, 0.93, 0.92, 0.95), "more images would help: with 256 in training"),
        ((256, 0.901, 0.895, 0.904), "more images would hardly help: with 256"),
        ((256, 0.92, 0.89, 0.95), "whether more images would help cannot be told: with 256"),
    ],
)
def test_more_images_help_only_if_the_whole_interval_says_so(forecast, said):
    assert said in caveats(learning_curve=make_curve(forecast))


def test_what_was_not_measured_is_not_said_to_be_so():
    assert "was not measured" in caveats(learning_curve=None)
    assert "cannot be told from so few" in caveats(learning_curve=make_curve())


def test_every_number_says_where_it_stands():
    report = make_report(twins=make_twins(1, 2), learning_curve=make_curve((256, 0.93, 0.92, 0.95)))
    verdict = judge_fit(report)
    pieces = (*verdict.worth, *verdict.caveats)
    assert not any(c.isdigit() for piece in pieces if isinstance(piece, str) for c in piece)
    assert {piece.path for piece in pieces if isinstance(piece, Figure)} >= {
        "baselines.0.accuracy",
        "row_share.1.0",
        "n_twins",
        "learning_curve.forecast.0.low",
    }
    assert Called(name="dog") in pieces
