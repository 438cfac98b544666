import shutil

import numpy as np
import pytest

from pipeline import durable
from pipeline.artifacts import keeping, load_model
from pipeline.artifacts.leftovers import list_foreign
from pipeline.config import FitConfig
from pipeline.doubting import rejection as rejection_module
from pipeline.doubting import training_rows
from pipeline.doubting.rejection import METHODS, find_rejection
from pipeline.doubting.training_rows import find_training_rows, read_values
from pipeline.errors import ClassifierError, ConfigError
from pipeline.predictions import parse_predictions
from pipeline.stages.fit import fit
from tests.doubting.conftest import CENTRES, CLASSES, UNLIKE, WIDTH, draw_like_training

MANY = 400


@pytest.mark.parametrize("method", METHODS)
def test_images_like_the_training_images_are_known_and_others_are_not(make_fit, method):
    store, model = make_fit(n_per_class=MANY)
    rejection = find_rejection(store, model, method=method)
    assert rejection.notes == ()
    alike, _ = draw_like_training(2000)
    known = rejection.measure(alike) <= rejection.threshold
    assert 0.94 < known.mean() < 0.99
    unlike = UNLIKE + np.random.default_rng(2).random((100, WIDTH), np.float32)
    assert (rejection.measure(unlike) > rejection.threshold).all()


@pytest.mark.parametrize("method", METHODS)
def test_test_rows_are_never_looked_at(make_fit, method):
    store, model = make_fit()
    tested = parse_predictions((model.folder / "predictions.csv").read_bytes())["path"].tolist()
    training = find_training_rows(store, model, purpose="--reject")
    rows = np.setdiff1d(np.arange(len(training.table.labels)), training.rows)
    assert sorted(training.table.paths[row] for row in rows) == sorted(tested)

    def spoil(values):
        values[rows] = 100 * np.random.default_rng(3).random((len(rows), WIDTH))
        return values

    spoilt = find_rejection(*make_fit(tweak=spoil), method=method)
    expected = find_rejection(store, model, method=method)
    assert spoilt.threshold == expected.threshold
    alike, _ = draw_like_training(5)
    assert np.array_equal(spoilt.measure(alike), expected.measure(alike))


@pytest.mark.parametrize("method", METHODS)
def test_copies_change_nothing(make_fit, method):
    names = [f"{name}/{i:03}.jpg" for name in CLASSES for i in range(60)]
    copied = {f"{name[:-4]}-{k}.jpg": name for name in names for k in range(6)}
    alone = find_rejection(*make_fit({name: name for name in names}), method=method, keep=0.9)
    with_copies = find_rejection(*make_fit(copied), method=method, keep=0.9)
    alike, _ = draw_like_training(5)
    # Whole sets of copies are drawn for testing, which need not be the same images.
    assert with_copies.threshold == pytest.approx(alone.threshold, rel=0.3)
    assert with_copies.measure(alike) == pytest.approx(alone.measure(alike), rel=0.5)


def test_images_of_one_group_do_not_vouch_for_each_other(make_fit):
    contents = {
        f"{name}/g{g:02}_{i}.jpg": f"{name}{g}{i}"
        for name in CLASSES
        for g in range(30)
        for i in range(10)
    }
    groups = np.unique([path[: path.index("_")] for path in contents], return_inverse=True)[1]
    of_group = np.random.default_rng(4).random((groups.max() + 1, WIDTH))

    def gather(values):
        labels = np.array([path.startswith("dog") for path in contents], int)
        return CENTRES[labels] + of_group[groups] + 0.01 * values

    blind = find_rejection(*make_fit(contents, tweak=gather), keep=0.8)
    store, model = make_fit(contents, tweak=gather, group_by=r"/(g\d+)_")
    aware = find_rejection(store, model, keep=0.8)
    assert aware.threshold > 3 * blind.threshold


def test_images_that_a_covariance_was_made_of_seem_near_to_it(make_fit):
    store, model = make_fit(n_per_class=10)
    rejection = find_rejection(store, model, method="mahalanobis")
    training = find_training_rows(store, model, purpose="--reject")
    own = rejection.measure(read_values(training, training.rows))
    # The threshold is the largest distance from what an image was left out of.
    assert rejection.threshold > 1.2 * own.max()


def test_a_split_that_comes_out_otherwise_is_refused(make_fit, monkeypatch):
    store, model = make_fit()
    split = training_rows.split_rows
    other = FitConfig(seed=7)
    monkeypatch.setattr(
        training_rows, "split_rows", lambda table, config: split(table, config=other)
    )
    with pytest.raises(ClassifierError, match="split in another way than when it was fitted"):
        find_rejection(store, model)


@pytest.mark.parametrize("method", METHODS)
def test_what_was_learned_is_kept_and_goes_with_the_fit(make_fit, tmp_path, method):
    store, model = make_fit()
    expected = find_rejection(store, model, method=method)
    assert list_foreign(model.folder.parent) == []
    elsewhere = tmp_path / "product"
    shutil.copytree(model.folder, elsewhere)
    alike, _ = draw_like_training(5)
    moved = find_rejection(None, load_model(elsewhere), method=method)
    assert moved.threshold == expected.threshold
    assert np.array_equal(moved.measure(alike), expected.measure(alike))
    stricter = find_rejection(None, load_model(elsewhere), method=method, keep=0.8)
    assert stricter.threshold < expected.threshold


def test_without_its_store_a_fit_must_have_kept_it(make_fit):
    _, model = make_fit()
    with pytest.raises(ClassifierError, match=r"--reject learns from .* is not beside it"):
        find_rejection(None, model)


@pytest.mark.parametrize("harm", ["flipped", "cut off", "of another fit"])
def test_a_kept_file_that_is_not_the_fits_is_made_anew(make_fit, harm):
    store, model = make_fit()
    expected = find_rejection(store, model)
    file = model.folder / "doubt-knn.kept"
    content = bytearray(file.read_bytes())
    if harm == "flipped":
        content[-200] ^= 1
    elif harm == "cut off":
        del content[-10:]
    else:
        other = make_fit(n_per_class=40)
        find_rejection(*other)
        content = (other[1].folder / "doubt-knn.kept").read_bytes()
    file.write_bytes(content)
    with pytest.raises(ClassifierError, match="--reject learns from"):
        find_rejection(None, model)
    assert find_rejection(store, model).threshold == expected.threshold
    assert find_rejection(None, model).threshold == expected.threshold


def test_a_fit_that_was_made_anew_learns_anew(make_fit):
    store, model = make_fit()
    find_rejection(store, model)
    fit(store, FitConfig(tune=False))
    assert not (model.folder / "doubt-knn.kept").exists()


def test_a_cache_that_cannot_be_written_is_no_error(make_fit, monkeypatch):
    store, model = make_fit()

    def fail(*arguments, **options):
        raise PermissionError(13, "read-only")

    monkeypatch.setattr(durable, "step", fail)
    assert find_rejection(store, model).threshold > 0
    monkeypatch.setattr(keeping, "lock_fits", fail)
    assert find_rejection(store, model).threshold > 0
    assert not list(model.folder.glob("*doubt*"))


def test_of_many_training_images_some_are_compared_with(make_fit, monkeypatch):
    monkeypatch.setattr(rejection_module, "MAX_REFERENCES", 20)
    store, model = make_fit()
    rejection = find_rejection(store, model)
    assert rejection.distance.references.shape == (20, WIDTH)
    of_cats = rejection.distance.references[:, 0] > rejection.distance.references[:, 2]
    assert of_cats.sum() == 10
    assert "20 training images" in rejection.notes[0]


def test_few_training_images_promise_nothing(make_fit):
    rejection = find_rejection(*make_fit(n_per_class=10))
    assert "cannot be told with 95% confidence what 95%" in rejection.notes[0]
    assert np.isfinite(rejection.threshold)


def test_images_of_one_group_alone_cannot_be_compared(make_fit):
    contents = {
        f"{name}/{g}{i}.jpg": f"{name}{g}{i}" for g in "ab" for name in CLASSES for i in "12"
    }
    store, model = make_fit(contents, group_by=r"/([ab])\d", test_size=0.5)
    with pytest.raises(ClassifierError, match="all 4 belong to one group"):
        find_rejection(store, model)


def test_wide_values_have_no_covariance(make_fit, monkeypatch):
    monkeypatch.setattr(rejection_module, "MAX_MAHALANOBIS", 5)
    with pytest.raises(ClassifierError, match=r"at most 5 .* these are 6\. Take --reject-by knn"):
        find_rejection(*make_fit(), method="mahalanobis")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "lof"}, r"--reject-by must be one of knn, mahalanobis\. Got: 'lof'"),
        ({"keep": 1.0}, r"--keep must lie between 0 and 1\. Got: 1\.0"),
        ({"keep": 0}, "--keep must lie between"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make_fit, settings, message):
    with pytest.raises(ConfigError, match=message):
        find_rejection(*make_fit(n_per_class=10), **settings)
