import numpy as np
import pytest

from pipeline import artifacts
from pipeline.config import FitConfig
from pipeline.errors import FeatureMismatchError
from pipeline.stages.export_values import export_store
from pipeline.stages.fit import fit
from pipeline.views import (
    average_views,
    count_views,
    unfold_views,
    view_prefixes,
    view_width,
)
from tests.made_stores import make_store

ROWS = np.array([[1, 2, 30, 40], [5, 6, 70, 80]], np.float32)


def test_views_of_a_recipe():
    assert count_views({}) == count_views({"views": 1}) == 1
    assert count_views({"views": 2}) == 2


def test_each_view_trains_under_the_label_of_its_image():
    X, y = unfold_views(ROWS, np.array([3, 4]), n_views=2)
    assert X.tolist() == [[1, 2], [30, 40], [5, 6], [70, 80]]
    assert y.tolist() == [3, 3, 4, 4]
    assert (X.dtype, y.dtype) == (np.float32, np.array([3]).dtype)


def test_views_are_averaged_to_one_row_an_image():
    X = average_views(ROWS, n_views=2)
    assert X.tolist() == [[15.5, 21], [37.5, 43]]
    assert X.dtype == np.float32


def test_one_view_stays_as_it_is():
    y = np.array([3, 4])
    X, labels = unfold_views(ROWS, y, n_views=1)
    assert (X.tolist(), labels.tolist()) == (ROWS.tolist(), [3, 4])
    assert average_views(ROWS, n_views=1) is ROWS


def test_an_image_has_the_same_average_whatever_is_beside_it():
    X = np.random.default_rng(0).normal(size=(50, 2 * 37)).astype(np.float32)
    together = average_views(X, n_views=2)
    alone = [average_views(X[row : row + 1], n_views=2)[0] for row in range(50)]
    assert together.tobytes() == np.array(alone).tobytes()


@pytest.mark.parametrize("n_rows", [0, 1])
def test_few_rows(n_rows):
    X, y = unfold_views(ROWS[:n_rows], np.zeros(n_rows, int), n_views=2)
    assert (X.shape, y.shape) == ((2 * n_rows, 2), (2 * n_rows,))
    assert average_views(ROWS[:n_rows], n_views=2).shape == (n_rows, 2)


def test_the_views_share_a_row_equally():
    assert view_width(8, n_views=2) == 4
    for wrong in (
        lambda: view_width(1281, n_views=2),
        lambda: unfold_views(ROWS[:, :3], np.zeros(2, int), n_views=2),
        lambda: average_views(ROWS[:, :3], n_views=2),
    ):
        with pytest.raises(FeatureMismatchError, match=r"cannot hold 2 views .* --overwrite"):
            wrong()


def test_names_of_the_views_columns_differ():
    assert view_prefixes(1) == ("",)
    assert view_prefixes(3) == ("", "view2_", "view3_")


def test_a_store_of_two_views_is_fitted_and_exported(tmp_path):
    store = make_store(tmp_path, recipe={"augment": "hflip", "views": 2}, width=8)
    done = fit(store, FitConfig(cv=2))
    model = artifacts.load_model(done.folder)
    assert (model.n_views, model.info["n_features"]) == (2, 4)
    assert (done.report.n_train, done.report.n_test) == (10, 2)
    assert artifacts.read_report(done.folder) == done.report
    export_store(store, tmp_path / "out.csv", "csv")
    header = (tmp_path / "out.csv").read_text().splitlines()[0].split(",")
    assert header[4:] == [
        *("f0", "f1", "f2", "f3"),
        *("view2_f0", "view2_f1", "view2_f2", "view2_f3"),
    ]
