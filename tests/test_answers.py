"""What is said of one image, and what all answers come to."""

import json
import math

import pytest

from pipeline.records import Answer, Predictions

CAT = Answer(path="a.jpg", classes=("cat", "dog"), probabilities=(0.75, 0.25))


def test_the_label_is_the_most_probable_class():
    assert (CAT.label, CAT.probability) == ("cat", 0.75)


def test_an_unknown_image_has_that_label_whatever_its_class():
    unknown = Answer(path="a", classes=("cat",), probabilities=(1.0,), distance=2, is_unknown=True)
    assert unknown.label == "unknown"
    assert unknown.probability == 1.0  # of the class that it is nearest to


def test_a_bad_image_has_no_label_and_no_probability():
    bad = Answer(path="a", reason="zero bytes")
    assert (bad.label, bad.probability) == ("", None)


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        (CAT, {"path", "label", "classes", "probabilities"}),
        (
            Answer(path="", classes=("cat",), scores=(-1.0,)),
            {"path", "label", "classes", "scores"},
        ),
        (Answer(path="", reason="zero bytes"), {"path", "label", "reason"}),
        (
            Answer(path="", classes=("a",), probabilities=(1.0,), distance=math.inf, label_set=()),
            {*("path", "label", "classes", "probabilities"), *("distance", "is_unknown")}
            | {"label_set"},
        ),
    ],
)
def test_json_has_what_the_answer_has_and_is_json(answer, names):
    fields = answer.to_dict()
    assert set(fields) == names
    assert json.loads(json.dumps(fields, allow_nan=False)) == fields


def test_the_sum_of_no_answers_is_json_too():
    nothing = Predictions(
        source="x", model="m", clf="", kind="score", n_images=0, counts={}, skipped={}, seconds=0.0
    )
    assert nothing.to_dict()["clf"] is None
    assert nothing.to_dict([])["answers"] == []
    assert "answers" not in nothing.to_dict()
