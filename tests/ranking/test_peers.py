import os

import pytest

from pipeline.config import FitConfig
from pipeline.errors import ArtifactTamperedError, ClassifierError, ClassifierNotFoundError
from pipeline.ranking import find_peers
from tests.made_reports import save_made_fit

RIGHT = [1, 0, 1, 1]


@pytest.fixture
def save(tmp_path):
    """Save fits, each a second younger than the one before, beside one store."""
    ages = iter(range(1, 100))

    def save_one(model="fake", content="cd", **settings):
        store = tmp_path / "pets" / f"{model}-abababab.zarr"
        folder = save_made_fit(
            store, RIGHT, config=FitConfig(**settings), model=model, content=content
        )
        os.utime(folder / "model.json", (next(ages),) * 2)
        return folder

    return save_one


def test_fits_of_the_same_split_newest_first(tmp_path, save):
    a, b, c = save(clf="knn"), save(clf="svm"), save(clf="svm", C=2.0)
    assert find_peers(tmp_path) == [c, b, a]


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 7},
        {"test_size": 0.3},
        {"split": "stable"},
        {"group_by": "owner"},
        {"shots": 5},
        {"content": "ef"},
        {"model": "other"},
    ],
)
def test_fits_of_another_split_or_other_values_do_not_count(tmp_path, save, other):
    save(clf="ridge", **other)
    a, b = save(clf="knn"), save(clf="svm")
    assert find_peers(tmp_path) == [b, a]


def test_what_was_only_measured_more_is_the_same_fit(tmp_path, save):
    save(clf="svm")
    a, b = save(clf="knn"), save(clf="svm", cv=5, learning_curve=True)
    assert find_peers(tmp_path) == [b, a]


def test_damaged_and_older_formats_are_passed_over(tmp_path, save):
    a, b = save(clf="knn"), save(clf="ridge")
    (a / "model.json").write_text("{}")
    os.utime(a / "model.json", (0, 0))
    c = save(clf="svm")
    assert find_peers(tmp_path) == [c, b]
    os.utime(a / "model.json")
    with pytest.raises(ArtifactTamperedError):  # the newest: to go on with another would mislead
        find_peers(tmp_path)


def test_one_alone_says_how_to_make_another(tmp_path, save):
    save(clf="svm", seed=7, group_by=r"(\d+)_", test_size=0.25)
    command = (
        "fit --clf logreg --dataset pets --model fake --seed 7 --test-size 0.25 "
        r"--group-by '(\d+)_'"
    )
    with pytest.raises(ClassifierError, match="Nothing to compare") as caught:
        find_peers(tmp_path)
    assert str(caught.value).endswith(f"Run: {command}")


def test_another_classifier_is_suggested_than_is_there(tmp_path, save):
    save(clf="knn")
    with pytest.raises(ClassifierError, match=r"Run: fit --clf svm --dataset pets --model fake$"):
        find_peers(tmp_path)


def test_no_fit_at_all(tmp_path):
    with pytest.raises(ClassifierNotFoundError, match="Run: fit"):
        find_peers(tmp_path)
