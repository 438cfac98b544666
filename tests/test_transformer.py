"""Transfer values as scikit-learn takes them: from the cache, or computed once."""

import hashlib
import os
import pickle
import threading
import time
import warnings
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import zarr
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import pipeline
from pipeline import TransferValues, cache, loose
from pipeline.cache import layout
from pipeline.config import ExtractConfig
from pipeline.datasets.loose import join_files, list_files
from pipeline.errors import (
    CacheError,
    CacheLockedError,
    CacheNotFoundError,
    ConfigError,
    EmptyDatasetError,
    FeatureMismatchError,
    ImageDecodeError,
    OutOfMemoryError,
)
from pipeline.extraction.preparing import prepare
from pipeline.extraction.settings import settings_of
from pipeline.records import Status
from pipeline.stages.clean import clean_cache
from pipeline.stages.extract import extract
from pipeline.stages.stores import describe_store, list_cache
from tests.conftest import MeanColourEngine, save_photo

SETTINGS = {"image_size": 32, "weights": "random"}
LOG = "computed.txt"


class LoggingEngine(MeanColourEngine):
    """Notes in a file how many images it computed: other processes count, too."""

    seconds = 0.0

    def __init__(self, log: Path) -> None:
        super().__init__()
        self.log = log

    def infer_many(self, batches):
        def noted():
            for (images,) in batches:
                with self.log.open("a") as file:
                    file.write(f"{len(images)}\n")
                time.sleep(self.seconds)
                yield (images,)

        return super().infer_many(noted())


class SlowEngine(LoggingEngine):
    seconds = 0.05


class MeanColours(TransferValues):
    """The transformer with a backbone of three features."""

    _open_engine = staticmethod(lambda job: LoggingEngine(job.config.cache_dir / LOG))


class SlowMeanColours(TransferValues):
    _open_engine = staticmethod(lambda job: SlowEngine(job.config.cache_dir / LOG))


class NoEngine(TransferValues):
    """The transformer where nothing is left to compute."""

    def _open_engine(self, job):
        raise AssertionError("an engine was opened although nothing was to be computed")


class LikeAnArray:
    """Neither a list nor an array, but can be made one."""

    def __init__(self, items):
        self.items = items

    def __array__(self, dtype=None, copy=None):
        return np.array(self.items, dtype)


@pytest.fixture
def cache_dir(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def make(cache_dir):
    return lambda kind=MeanColours, **changes: kind(cache_dir=cache_dir, **{**SETTINGS, **changes})


@pytest.fixture
def paths(photos):
    """Three photos of each of three classes, as text."""
    return sorted(str(path) for path in photos.glob("*/0[012].jpg"))


@pytest.fixture
def labels(paths):
    return [Path(path).parent.name for path in paths]


def n_computed(cache_dir: Path) -> int:
    log = cache_dir / LOG
    return sum(map(int, log.read_text().split())) if log.exists() else 0


def stores_in(cache_dir: Path) -> list[Path]:
    return sorted((cache_dir / "paths").glob("*.zarr"))


def extract_folder(folder: Path, cache_dir: Path):
    config = ExtractConfig(dataset=str(folder), cache_dir=cache_dir, **SETTINGS)
    return extract(prepare(config), lambda job: MeanColourEngine())


def is_of(row, path) -> bool:
    """Whether values are those of the class that the photo belongs to."""
    return ["red", "green", "blue"][int(np.argmax(row))] == Path(path).parent.name


class TestValues:
    def test_rows_are_in_the_order_given_and_duplicates_are_kept(self, make, paths):
        X = [paths[8], paths[0], paths[8], paths[4]]
        values = make().fit_transform(X)
        assert values.dtype == np.float32
        assert values.shape == (4, 3)
        assert all(map(is_of, values, X))
        assert (values[0] == values[2]).all()

    @pytest.mark.parametrize(
        "given",
        [
            lambda paths: tuple(map(Path, paths)),
            np.array,
            lambda paths: np.array(list(map(Path, paths)), dtype=object),
            lambda paths: pd.Series(paths, index=range(7, 16)),
            lambda paths: LikeAnArray(paths),
            lambda paths: [os.path.relpath(path) for path in paths],
            lambda paths: [f"{Path(path).parent}/./../{Path(path).parent.name}/{Path(path).name}"
                           for path in paths],
        ],
        ids=["Path", "str array", "object array", "Series", "array-like", "relative", "roundabout"],
    )  # fmt: skip
    def test_a_path_may_be_given_in_many_ways(self, make, paths, given):
        expected = make().fit_transform(paths)
        assert (make(NoEngine).fit_transform(given(paths)) == expected).all()

    def test_features_have_names_and_may_come_as_a_table(self, make, paths):
        transformer = make(TransferValues)
        transformer._open_engine = MeanColours._open_engine
        table = transformer.set_output(transform="pandas").fit_transform(paths)
        names = ["transfervalues0", "transfervalues1", "transfervalues2"]
        assert list(transformer.get_feature_names_out()) == list(table.columns) == names
        assert transformer.n_features_out_ == 3

    def test_what_extract_made_is_taken_whatever_the_files_are_called_now(
        self, make, photos, cache_dir
    ):
        table = cache.read_features(extract_folder(photos, cache_dir).store)
        photos.rename(photos.with_name("moved"))
        moved = [photos.with_name("moved") / path for path in table.paths]
        moved[0] = moved[0].rename(moved[0].with_name("renamed.jpeg"))
        assert (make(NoEngine).fit_transform(moved) == table.features).all()
        assert stores_in(cache_dir) == []

    def test_only_what_no_store_has_is_computed(self, make, photos, paths, cache_dir):
        extract_folder(photos, cache_dir)
        new = save_photo(photos.parent / "red" / "new.jpg", seed=77, tint=(180, 0, 0))
        values = make().fit_transform([paths[0], new, paths[-1]])
        assert is_of(values[1], new)
        assert n_computed(cache_dir) == 1
        (store,) = stores_in(cache_dir)
        assert cache.read_info(store).n_rows == 1

    def test_copies_are_computed_once(self, make, paths, cache_dir, tmp_path):
        copy = tmp_path / "copy.jpg"
        copy.write_bytes(Path(paths[0]).read_bytes())
        values = make().fit_transform([paths[0], copy])
        assert (values[0] == values[1]).all()
        assert n_computed(cache_dir) == 1

    def test_an_image_that_was_edited_in_place_is_computed_anew(self, make, paths, cache_dir):
        red = paths[-1]
        make().fit([red])
        Path(paths[0]).rename(red)
        values = make().fit_transform([red])
        assert not is_of(values[0], red)
        assert n_computed(cache_dir) == 2
        assert len(stores_in(cache_dir)) == 1

    def test_another_recipe_is_computed_anew(self, make, paths, cache_dir):
        make().fit(paths)
        make(pooling="max").fit(paths)
        assert n_computed(cache_dir) == 18

    def test_one_image_at_a_time_does_not_make_a_store_of_each(self, make, photos, cache_dir):
        every = sorted(photos.glob("*/*.jpg"))[::4]
        transformer = make().fit(every[:1])
        values = [transformer.transform([path])[0] for path in every]
        assert all(map(is_of, values, every))
        assert n_computed(cache_dir) == 9
        rows = [cache.read_info(store).n_rows for store in stores_in(cache_dir)]
        assert sum(rows) == 9
        assert len(rows) <= 4  # log2(9) and one
        assert (make(NoEngine).fit_transform(every) == values).all()

    def test_taking_over_a_store_keeps_what_it_knew_of_files_that_are_gone(
        self, make, paths, cache_dir, tmp_path
    ):
        old = make().fit_transform(paths[:1])
        kept = tmp_path / "elsewhere" / "kept.jpg"
        kept.parent.mkdir()
        Path(paths[0]).rename(kept)
        make().fit(paths[1:3])
        assert len(stores_in(cache_dir)) == 1
        assert (make(NoEngine).fit_transform([kept]) == old).all()


class TestSearches:
    def test_a_cross_validation_computes_each_image_once(self, make, paths, labels, cache_dir):
        classifier = make_pipeline(make(), StandardScaler(), LogisticRegression())
        scores = cross_val_score(classifier, paths, labels, cv=3)
        assert (scores == 1).all()
        assert n_computed(cache_dir) == 9

    def test_a_grid_over_networks_and_classifiers_in_two_processes_computes_each_once(
        self, make, paths, labels, cache_dir
    ):
        steps = make_pipeline(make(SlowMeanColours), StandardScaler(), LogisticRegression())
        grid = {"slowmeancolours__pooling": ["avg", "max"], "logisticregression__C": [0.1, 10]}
        search = GridSearchCV(steps, grid, cv=StratifiedKFold(3), n_jobs=2, error_score="raise")
        search.fit(np.array(paths), labels)
        assert search.best_score_ == 1
        assert n_computed(cache_dir) == 18

    def test_clones_and_pickles_are_equal(self, make, paths):
        transformer = make(MeanColours, layers=["top"], on_error="nan")
        copy = clone(transformer)
        assert copy.get_params() == transformer.get_params()
        assert copy.layers is not transformer.layers
        fitted = make().fit(paths)
        again = pickle.loads(pickle.dumps(fitted))
        assert (again.transform(paths) == fitted.transform(paths)).all()

    def test_a_fitted_one_does_not_give_other_values_unasked(self, make, paths):
        fitted = make().fit(paths).set_params(pooling="max", image_size=40)
        with pytest.raises(FeatureMismatchError, match="backbones, pooling differ"):
            fitted.transform(paths)

    def test_it_must_be_fitted(self, make, paths):
        with pytest.raises(NotFittedError):
            make().transform(paths)

    @pytest.mark.parametrize(
        "error",
        [ImageDecodeError("no", reason=5), OutOfMemoryError("full", batch_size=8)],
        ids=lambda error: type(error).__name__,
    )
    def test_errors_come_back_from_other_processes(self, error):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


class TestBadImages:
    @pytest.fixture
    def bad(self, tmp_path):
        bad = tmp_path / "bad.jpg"
        bad.write_text("no image")
        return bad

    def test_an_error_names_the_file_and_the_reason(self, make, paths, bad):
        with pytest.raises(
            ImageDecodeError, match=r"(?s)1 of the 10 .*bad\.jpg': not an image"
        ) as info:
            make().fit([*paths, bad])
        assert info.value.reason == Status.NOT_AN_IMAGE

    def test_only_the_first_are_named(self, make, tmp_path):
        with pytest.raises(ImageDecodeError, match=r"04\.jpg': cannot be read\n  and 7 more"):
            make(NoEngine).fit([tmp_path / f"{i:02}.jpg" for i in range(12)])

    def test_a_path_that_does_not_exist_is_refused_before_anything_is_computed(
        self, make, paths, tmp_path
    ):
        with pytest.raises(ImageDecodeError, match=r"gone\.jpg': cannot be read"):
            make(NoEngine).fit([*paths, tmp_path / "gone.jpg"])

    def test_their_rows_may_be_nan(self, make, paths, bad, tmp_path):
        X = [bad, *paths, tmp_path / "gone.jpg", tmp_path]
        values = make(on_error="nan").fit_transform(X)
        assert np.isnan(values).all(axis=1).tolist() == [True, *[False] * 9, True, True]
        assert all(map(is_of, values[1:10], paths))
        # What is known to be no image is not tried again.
        assert np.isnan(make(NoEngine, on_error="nan").fit_transform(X)).sum() == 9
        with pytest.raises(ImageDecodeError, match="not an image"):
            make(NoEngine).fit([bad])

    def test_a_file_that_comes_back_is_read(self, make, paths, tmp_path):
        make(on_error="nan").fit([*paths, tmp_path / "late.jpg"])
        late = save_photo(tmp_path / "late.jpg", seed=5, tint=(0, 180, 0))
        assert np.isfinite(make().fit_transform([late])).all()

    def test_a_file_that_was_away_while_it_was_to_be_read_is_read_the_next_time(
        self, make, paths, monkeypatch
    ):
        away = Path(paths[0]).with_suffix(".away")

        def extract_without(*args, **kwargs):
            Path(paths[0]).rename(away)
            try:
                return extract(*args, **kwargs)
            finally:
                away.rename(paths[0])

        with monkeypatch.context() as patch:
            patch.setattr(loose, "extract", extract_without)
            with pytest.raises(ImageDecodeError, match=r"00\.jpg': changed since it was listed"):
                make().fit(paths)
        assert all(map(is_of, make().fit_transform(paths), paths))

    def test_bad_images_alone_do_not_tell_how_many_features_there_are(self, make, paths, tmp_path):
        gone = [tmp_path / "gone.jpg"]
        with pytest.raises(EmptyDatasetError, match="None of the 1 files"):
            make(on_error="nan").fit(gone)
        fitted = make(on_error="nan").fit(paths)
        assert np.isnan(fitted.transform(gone)).tolist() == [[True] * 3]
        elsewhere = fitted.set_params(cache_dir=tmp_path / "other")
        assert np.isnan(elsewhere.transform(gone)).tolist() == [[True] * 3]

    def test_nothing_but_bad_images_is_no_error_where_nan_is_wanted(self, make, bad):
        assert np.isnan(make(on_error="nan").fit_transform([bad])).tolist() == [[True] * 3]


class TestWhatIsGiven:
    @pytest.mark.parametrize(
        ("X", "message"),
        [
            ("a.jpg", "Got one path"),
            (Path("a.jpg"), "Got one path"),
            (pd.DataFrame({"path": ["a.jpg"]}), r"array of shape \(1, 1\)"),
            (np.array("a.jpg"), r"array of shape \(\)"),
            (None, "Got: NoneType"),
            ([], "0 samples"),
            (["a.jpg", 3], "row 1: int 3"),
            ([b"a.jpg"], "row 0: bytes"),
            (["a.jpg", float("nan")], "row 1: float nan"),
            (["a\0.jpg"], "row 0: 'a"),
            ([""], "row 0: ''"),
        ],
    )
    def test_what_is_no_sequence_of_paths_is_refused(self, make, X, message):
        with pytest.raises(ConfigError, match=message):
            make(NoEngine).fit(X)

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"pooling": "min"}, "--pooling"),
            ({"on_error": "skip"}, "on_error must be one of raise, nan"),
            ({"layers": "top"}, "layers must be a sequence"),
            ({"model": "vgg61"}, "vgg61"),
            ({"image_size": 1}, "--image-size"),
        ],
    )
    def test_settings_are_checked_when_it_is_fitted(self, make, paths, settings, message):
        with pytest.raises(ConfigError, match=message):
            make(NoEngine, **settings).fit(paths)

    def test_defaults_are_those_of_extract(self):
        config, params = ExtractConfig(), TransferValues().get_params()
        assert params.pop("on_error") == "raise"
        assert params.pop("cache_dir") == str(config.cache_dir)
        assert params == {name: getattr(config, name) for name in params}

    def test_parameters_mean_what_the_flags_of_extract_mean(self):
        network = {"model": "efficientnet-lite1", "layers": ("a",), "pooling": "max"}
        images = {"image_size": 96, "resize": "pad", "augment": "hflip", "weights": "random"}
        machine = {"precision": "auto", "device": "cpu", "batch_size": 3, "workers": 2}
        given = {**network, **images, **machine, "dtype": "float16"}
        config = TransferValues(**given, cache_dir="there")._make_config()
        assert config == ExtractConfig(**given, cache_dir=Path("there"))
        assert given.keys() == TransferValues().get_params().keys() - {"cache_dir", "on_error"}

    def test_files_of_two_manifests_are_those_of_both(self, photos, paths):
        first, second = (list_files(part).manifest for part in (paths[:2], paths[1:]))
        joined, whole = join_files([first, second]), list_files(paths).manifest
        assert joined.digest == whole.digest
        assert joined.root == whole.root
        assert (joined.size == whole.size).all()
        assert join_files([second]).digest != whole.digest
        assert list_files([*paths, *paths]).manifest.digest == whole.digest

    def test_the_package_has_nothing_else(self):
        assert pipeline.TransferValues is TransferValues
        with pytest.raises(AttributeError, match="no attribute 'TransferValue'"):
            _ = pipeline.TransferValue


class TestHarmless:
    """Stores of loose files beside those of data sets."""

    def test_fit_does_not_take_them_for_the_newest(self, make, photos, paths, cache_dir):
        make().fit(paths)
        with pytest.raises(CacheNotFoundError, match="Run: extract"):
            cache.find_store(cache_dir)
        extracted = extract_folder(photos, cache_dir).store
        make(pooling="max").fit(paths)
        make().fit(paths)
        assert cache.find_store(cache_dir) == extracted
        for name in ("paths", "photos"):
            (cache_dir / name).touch()
        with pytest.raises(CacheNotFoundError):
            cache.find_store(cache_dir, dataset="paths")

    def test_a_data_set_that_is_called_paths_is_one(self, make, photos, paths, cache_dir):
        make(pooling="max").fit(paths)
        extracted = extract_folder(photos.rename(photos.with_name("paths")), cache_dir).store
        assert extracted.parent == stores_in(cache_dir)[0].parent
        assert cache.find_store(cache_dir, dataset="paths") == extracted

    def test_they_are_listed_and_say_what_made_them(self, make, paths, cache_dir):
        make(pooling="max").fit(paths)
        (entry,) = list_cache(cache_dir)
        assert (entry.dataset, entry.n_rows, entry.state) == ("paths", 9, "complete")
        details = describe_store(entry.path)
        assert details.by_class == {"": 9}
        call = details.command
        assert call.startswith("TransferValues(model='efficientnet-lite0', ")
        assert call.endswith(").fit_transform(paths)")
        made = eval(call.removesuffix(".fit_transform(paths)"), {"TransferValues": TransferValues})
        assert made.get_params() == {
            **make(pooling="max").get_params(),
            "cache_dir": str(cache_dir),
        }

    def test_cleaning_leaves_them(self, make, paths, cache_dir):
        make().fit(paths[::2])
        make().fit(paths[1::2])
        before = stores_in(cache_dir)
        cleaning = clean_cache(cache_dir, superseded=True)
        assert (cleaning.removed, cleaning.kept) == ([], [])
        assert stores_in(cache_dir) == before
        assert len(before) == 2

    def test_they_cannot_be_repaired_by_a_command_and_say_so(self, make, paths, cache_dir):
        make().fit(paths)
        with pytest.raises(CacheError, match="of loose files"):
            settings_of(stores_in(cache_dir)[0])


class TestWhatGoesWrong:
    def test_damaged_rows_are_computed_anew(self, make, paths, cache_dir, monkeypatch):
        monkeypatch.setattr(layout, "block_length", lambda row_bytes: 4)
        values = make().fit_transform(paths)
        (store,) = stores_in(cache_dir)
        (store / "features" / "c" / "0" / "0").write_bytes(b"damaged")
        assert (make().fit_transform(paths) == values).all()
        assert n_computed(cache_dir) == 9 + 4
        assert (make(NoEngine).fit_transform(paths) == values).all()

    def test_a_store_that_is_damaged_all_over_is_replaced(self, make, paths, cache_dir):
        values = make().fit_transform(paths)
        (store,) = stores_in(cache_dir)
        (store / "features" / "c" / "0" / "0").write_bytes(b"damaged")
        assert (make().fit_transform(paths) == values).all()
        assert stores_in(cache_dir) == [store]
        (store / "status" / "zarr.json").unlink()
        assert (make().fit_transform(paths) == values).all()
        assert (make(NoEngine).fit_transform(paths) == values).all()

    def test_what_was_cut_off_goes_on(self, make, paths, cache_dir, monkeypatch):
        monkeypatch.setattr(layout, "block_length", lambda row_bytes: 4)

        class Cut(LoggingEngine):
            def infer_many(self, batches):
                for n, values in enumerate(super().infer_many(batches)):
                    if n == 1:
                        raise KeyboardInterrupt
                    yield values

        class CutOff(TransferValues):
            _open_engine = staticmethod(lambda job: Cut(job.config.cache_dir / "cut.txt"))

        with pytest.raises(KeyboardInterrupt):
            make(CutOff).fit(paths)
        (store,) = stores_in(cache_dir)
        assert cache.count_committed(store) == 1
        values = make().fit_transform(paths)
        assert all(map(is_of, values, paths))
        assert n_computed(cache_dir) == 5
        assert stores_in(cache_dir) == [store]

    def test_values_of_other_libraries_that_differ_are_computed_anew(self, make, paths, cache_dir):
        class Newer(LoggingEngine):
            versions: Mapping[str, str] = {"numpy": np.__version__, "mean-colour": "2"}

            def infer_many(self, batches):
                for values in super().infer_many(batches):
                    yield 1 - values

        class NewerColours(TransferValues):
            _open_engine = staticmethod(lambda job: Newer(job.config.cache_dir / LOG))

        old = make().fit_transform(paths)
        (store,) = stores_in(cache_dir)
        group = zarr.open_group(store, mode="r+")
        provenance = dict(group.attrs["provenance"])
        provenance["versions"] = {**provenance["versions"], "numpy": "0.1"}
        group.attrs["provenance"] = provenance
        assert make(NewerColours).fit_transform(paths) == pytest.approx(1 - old)
        assert (
            make(NoEngine).fit_transform(paths) == make(NewerColours).fit_transform(paths)
        ).all()

    def test_an_engine_that_cannot_be_opened_leaves_nothing_locked(self, make, paths):
        class Failing(TransferValues):
            def _open_engine(self, job):
                raise OSError("no engine")

        with pytest.raises(CacheError, match="no engine"):
            make(Failing).fit(paths)
        assert np.isfinite(make().fit_transform(paths)).all()


class TestWaiting:
    @pytest.fixture
    def turn(self, make, paths, cache_dir, monkeypatch):
        """The lock that whoever computes by this recipe takes."""
        taken = []
        real = loose.lock_store
        monkeypatch.setattr(loose, "lock_store", lambda path: taken.append(path) or real(path))
        make().fit(paths[:1])
        monkeypatch.undo()
        return taken[0]

    @contextmanager
    def held(self, turn, seconds, *, alive=False):
        """Another thread holds the lock so long, or until the block ends."""

        def run():
            with cache.lock_store(turn):
                taken.set()
                end = time.monotonic() + seconds
                while time.monotonic() < end and not done.wait(0.05):
                    if alive:
                        cache.show_life(turn)

        taken, done = threading.Event(), threading.Event()
        thread = threading.Thread(target=run)
        thread.start()
        assert taken.wait(5)
        yield thread
        done.set()
        thread.join()

    def test_it_waits_for_whoever_computes(self, make, paths, turn):
        with self.held(turn, 0.3) as thread:
            assert np.isfinite(make().fit_transform(paths)).all()
            assert not thread.is_alive()

    def test_it_does_not_wait_for_ever(self, make, paths, turn, monkeypatch):
        monkeypatch.setattr(loose, "PATIENCE", 0.2)
        with self.held(turn, 30) as thread:
            with pytest.raises(CacheLockedError, match="is being written by process"):
                make().fit(paths)
            assert thread.is_alive()

    def test_it_waits_longer_for_who_gets_on(self, make, paths, turn, monkeypatch):
        monkeypatch.setattr(loose, "PATIENCE", 0.3)
        with self.held(turn, 0.9, alive=True) as thread:
            assert np.isfinite(make().fit_transform(paths)).all()
            assert not thread.is_alive()

    def test_whoever_computes_shows_life(self, make, photos, cache_dir, turn, monkeypatch):
        shown = []
        monkeypatch.setattr(loose, "_BEAT", 0.0)
        monkeypatch.setattr(loose, "show_life", shown.append)
        make().fit(sorted(photos.glob("*/*.jpg")))
        assert len(shown) > 9
        assert set(shown) == {turn}

    def test_what_is_known_is_read_while_another_process_computes(self, make, paths, turn):
        with self.held(turn, 30) as thread:
            make(NoEngine).fit(paths[:1])
            assert thread.is_alive()

    def test_two_threads_compute_each_image_once(self, make, paths, cache_dir):
        found = {}

        def run(name, X):
            found[name] = make(SlowMeanColours).fit_transform(X)

        parts = {"a": paths[:6], "b": paths[3:]}
        threads = [threading.Thread(target=run, args=each) for each in parts.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (found["a"][3:] == found["b"][:3]).all()
        assert n_computed(cache_dir) == 9


NUMBERS = "X is paths: none of them can be complex, NaN or infinite"
SPARSE = "X is paths, and a sparse matrix holds none: it is refused in other words"
EXEMPT = {
    "check_complex_data": NUMBERS,
    "check_estimators_nan_inf": NUMBERS,
    "check_estimators_empty_data_messages": "X is paths, which have no features to be none of",
    "check_estimator_sparse_tag": SPARSE,
    "check_estimator_sparse_array": SPARSE,
    "check_estimator_sparse_matrix": SPARSE,
    "check_fit2d_predict1d": "X of one dimension is what it takes: nothing is to be reshaped",
}
SKIPPED = {"check_array_api_input"}  # SCIPY_ARRAY_API is not set, and paths are no such arrays


class OfPictures(MeanColours):
    """scikit-learn can only make up numbers: each of its rows becomes the path of a picture.

    Rows of equal numbers are the same picture of one of 32 colours. How many columns there are is
    looked after here, since paths have none.
    """

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.one_d_array = True, False
        return tags

    def fit(self, X, y=None):
        super().fit(self.draw(X))
        self.n_features_in_ = np.asarray(X).shape[1]
        return self

    def fit_transform(self, X, y=None):
        return self.fit(X).transform(X)

    def transform(self, X):
        expected = getattr(self, "n_features_in_", None)
        found = np.asarray(X).shape[1:]
        if expected is not None and found not in ((), (expected,)):
            raise ValueError(
                f"X has {found[0]} features, but {type(self).__name__} is expecting {expected} "
                "features as input"
            )
        return super().transform(self.draw(X))

    def draw(self, X):
        numbers = np.asarray(X)
        if numbers.ndim != 2:
            return X
        if np.iscomplexobj(numbers):
            numbers = numbers.real
        return [self.draw_picture(row.astype(np.float64)) for row in numbers]

    def draw_picture(self, row):
        colour = hashlib.sha256(row.tobytes()).digest()[0] % 32
        path = Path(self.cache_dir).parent / "drawn" / f"{colour}.ppm"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"P6 1 1 255\n" + bytes([8 * colour, 90, 255 - 8 * colour]))
        return path


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What each of scikit-learn's checks says."""
    folder = tmp_path_factory.mktemp("checks") / "cache"
    transformer = OfPictures(cache_dir=str(folder), **SETTINGS)
    return check_estimator(transformer, expected_failed_checks=EXEMPT, on_fail=None, on_skip=None)


class TestChecksOfScikitLearn:
    def test_every_check_that_makes_sense_passes(self, results):
        failed = [(r["check_name"], r["exception"]) for r in results if r["status"] == "failed"]
        assert failed == []
        skipped = {r["check_name"] for r in results if r["status"] == "skipped"}
        assert skipped == SKIPPED
        assert sum(r["status"] == "passed" for r in results) > 30

    def test_every_exemption_is_a_check_that_is_there_and_cannot_pass(self, results):
        failing = {r["check_name"] for r in results if r["status"] == "xfail"}
        passing = {r["check_name"] for r in results if r["status"] == "passed"}
        assert failing == set(EXEMPT)
        assert not passing & set(EXEMPT)

    def test_scikit_learn_sees_that_it_takes_no_numbers(self, make):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            (result,) = check_estimator(make())
        assert result["check_name"] == "check_estimator_cloneable"
        assert result["status"] == "passed"
        assert "Can't test estimator MeanColours" in str(caught[0].message)


class TestForReal:
    def test_values_of_the_embedded_network_are_those_that_extract_computes(
        self, photos, cache_dir
    ):
        for path in photos.glob("*/*.jpg"):
            if path.name > "01.jpg":
                path.unlink()
        transformer = TransferValues(cache_dir=cache_dir, image_size=64)
        values = transformer.fit_transform(sorted(photos.glob("*/*.jpg")))
        assert values.shape == (6, 1280)
        (store,) = stores_in(cache_dir)
        config = ExtractConfig(
            dataset=str(photos),
            cache_dir=cache_dir,
            image_size=64,
            overwrite=True,  # nothing is copied
        )
        extraction = extract(prepare(config), transformer._open_engine)
        assert extraction.n_computed == 6
        table = cache.read_features(extraction.store)
        assert np.allclose(table.features, values, atol=1e-5)
        cache.remove_store(store)
        again = NoEngine(cache_dir=cache_dir, image_size=64)
        assert (
            again.fit_transform([photos / path for path in table.paths]) == table.features
        ).all()
