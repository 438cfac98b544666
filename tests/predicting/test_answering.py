"""From scores to answers."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.errors import FeatureMismatchError
from pipeline.predicting.answering import answer_all
from pipeline.predicting.computing import Computed
from pipeline.predicting.settling import SCORE
from pipeline.records import Status
from tests.made_fits import settle


@pytest.fixture
def predictor(fitted):
    """A fit whose scores are the values themselves."""
    return replace(settle(fitted[1]), score=lambda values: values.astype(np.float64))


def answer(predictor, rows, *, status=None, **options):
    values = np.array(rows, np.float32)
    status = np.zeros(len(values), np.uint8) if status is None else np.array(status, np.uint8)
    part = Computed(start=0, values=values, status=status)
    paths = [f"{row}.jpg" for row in range(len(values))]
    (answered,) = answer_all(predictor, [part], paths, **options)
    return answered.answers


class TestClasses:
    def test_the_most_probable_comes_first(self, predictor):
        first, second = answer(predictor, [[0.2, 0.7, 0.1], [0.6, 0.1, 0.3]], topk=2)
        assert (first.path, first.label, first.classes) == ("0.jpg", "green", ("green", "blue"))
        assert first.probabilities == pytest.approx((0.7, 0.2))
        assert second.classes == ("blue", "red")
        assert (first.reason, first.distance, first.label_set) == ("", None, None)

    def test_of_equals_the_first_as_the_classifier_has_it(self, predictor):
        (only,) = answer(predictor, [[0.25, 0.375, 0.375]], topk=3)
        assert only.classes == ("green", "red", "blue")
        many = replace(predictor, class_names=tuple(map(str, range(200))))
        (only,) = answer(many, [[0.0] * 100 + [0.01] * 100], topk=3)
        assert only.classes == ("100", "101", "102")

    def test_more_than_there_are_is_all_there_are(self, predictor):
        assert len(answer(predictor, [[0.2, 0.7, 0.1]], topk=9)[0].classes) == 3

    def test_decision_scores_are_no_probabilities(self, predictor):
        (only,) = answer(replace(predictor, kind=SCORE), [[-3.5, 1.25, 0]], topk=2)
        assert only.scores == (1.25, 0.0)
        assert only.probabilities == ()
        assert only.probability is None
        assert "probabilities" not in only.to_dict()

    def test_a_class_that_was_never_seen_is_no_answer(self, predictor):
        (only,) = answer(replace(predictor, kind=SCORE), [[-3.5, 1.25, -np.inf]], topk=3)
        assert only.classes == ("green", "blue")


class TestBadImages:
    def test_they_have_a_reason_and_no_class(self, predictor):
        bad, good = answer(
            predictor, [[0, 0, 0], [0.2, 0.7, 0.1]], status=[Status.CORRUPT, Status.OK]
        )
        assert (bad.reason, bad.label, bad.classes) == ("corrupt or truncated image", "", ())
        assert bad.to_dict() == {
            "path": "0.jpg",
            "label": None,
            "reason": "corrupt or truncated image",
        }
        assert good.label == "green"

    def test_nothing_is_asked_about_them(self, predictor):
        class Watch:
            threshold = 1.0

            def measure(self, values):
                assert len(values) == 1
                return np.zeros(1)

            def choose(self, probabilities):
                assert len(probabilities) == 1
                return np.ones((1, 3), bool)

        for status in ([Status.EMPTY, Status.OK], [Status.EMPTY, Status.EMPTY]):
            answer(predictor, [[1, 2, 3]] * 2, status=status, rejection=Watch(), sets=Watch())


class Farther:
    """The distance is the first value."""

    threshold = 0.5

    def measure(self, values):
        return values[:, 0]


class TestRejection:
    def test_beyond_the_threshold_it_is_unknown_and_its_nearest_class_is_told(self, predictor):
        inside, border, outside = answer(
            predictor, [[0.4, 0.6, 0], [0.5, 0.5, 0], [0.6, 0.4, 0]], rejection=Farther()
        )
        assert [each.label for each in (inside, border, outside)] == ["green", "blue", "unknown"]
        assert outside.classes == ("blue",)
        assert outside.distance == pytest.approx(0.6)
        fields = outside.to_dict()
        assert (fields["label"], fields["is_unknown"]) == ("unknown", True)
        assert fields["classes"] == ["blue"]

    def test_an_infinite_distance_is_none_in_json(self, predictor):
        (only,) = answer(predictor, [[np.inf, 0, 0]], rejection=Farther())
        assert only.is_unknown
        assert only.to_dict()["distance"] is None


def test_sets_come_most_probable_first(predictor):
    class AboveTenth:
        def choose(self, probabilities):
            return probabilities > 0.1

    wide, narrow, none = answer(
        predictor, [[0.2, 0.3, 0.5], [0.05, 0.9, 0.05], [0.05, 0.05, 0.05]], sets=AboveTenth()
    )
    assert wide.label_set == ("red", "green", "blue")
    assert narrow.label_set == ("green",)
    assert none.label_set == ()
    assert none.to_dict()["label_set"] == []


def test_fault_51_values_of_another_width_are_refused(fitted):
    with pytest.raises(FeatureMismatchError, match=r"\(n, 3\), got \(1, 4\)"):
        answer(settle(fitted[1]), [[1, 2, 3, 4]])
