import numpy as np
import pytest

from pipeline.errors import ClassifierError
from pipeline.ranking.answers import find_common_rows, read_answers
from tests.made_reports import make_report, save_made_fit


def answers(tmp_path, right, *, model="fake", dataset="pets", root="/photos", **options):
    store = tmp_path / dataset / f"{model}-abababab.zarr"
    folder = save_made_fit(store, right, model=model, dataset=dataset, **options)
    return read_answers(folder, make_report(dataset=dataset, root=root))


def test_rows_are_matched_by_path_in_any_order(tmp_path):
    a = answers(tmp_path, [1, 0, 1, 1], labels=[0, 0, 1, 1], paths=["a", "b", "c", "d"])
    b = answers(
        tmp_path, [0, 1, 1, 1], labels=[1, 1, 0, 0], paths=["d", "c", "b", "a"], model="other"
    )
    rows = find_common_rows([a, b])
    assert rows.y_true.tolist() == [0, 0, 1, 1]
    assert rows.y_pred.tolist() == [[0, 1, 1, 1], [0, 0, 1, 0]]
    assert rows.correct.tolist() == [[True, False, True, True], [True, True, True, False]]
    assert (rows.n_classes, len(rows), rows.note) == (2, 4, None)


def test_what_is_not_common_is_left_out_and_said(tmp_path):
    a = answers(tmp_path, [1, 0, 1], labels=[0, 1, 1], paths=["a", "b", "c"])
    b = answers(tmp_path, [1, 1], labels=[1, 1], paths=["c", "x"], model="other")
    rows = find_common_rows([a, b])
    assert rows.correct.tolist() == [[True], [True]]
    assert "the 1 that they have in common, of 3, 2, are compared" in rows.note


def test_no_common_row_says_what_to_do(tmp_path):
    a = answers(tmp_path, [1, 1], paths=["a", "b"])
    b = answers(tmp_path, [1, 1], paths=["c", "d"], model="other")
    with pytest.raises(ClassifierError, match="same --seed, --test-size") as caught:
        find_common_rows([a, b])
    assert str(a.folder) in str(caught.value)


def test_labels_that_changed_in_between_are_refused(tmp_path):
    a = answers(tmp_path, [1, 1, 1], labels=[0, 1, 1], paths=["a", "b", "c"])
    b = answers(tmp_path, [1, 1, 1], labels=[0, 0, 1], paths=["a", "b", "c"], model="other")
    with pytest.raises(ClassifierError, match=r"1 of 3 test images: b is 'dog' in .*, 'cat' in"):
        find_common_rows([a, b])


@pytest.mark.parametrize("other", [{"dataset": "birds"}, {"root": "/elsewhere"}])
def test_other_images_are_refused(tmp_path, other):
    a = answers(tmp_path, [1, 1])
    b = answers(tmp_path, [1, 1], model="other", **other)
    with pytest.raises(ClassifierError, match="different images"):
        find_common_rows([a, b])


def test_one_fit_is_common_with_itself(tmp_path):
    rows = find_common_rows([answers(tmp_path, [1, 0, 1])])
    assert np.array_equal(rows.correct, [[True, False, True]])
