import errno
import hashlib
import json
import os
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import filelock
import joblib
import numpy as np
import pytest

from pipeline import artifacts, durable, views
from pipeline.artifacts import description, writing
from pipeline.classifiers import class_scores
from pipeline.config import FitConfig
from pipeline.errors import (
    ArtifactTamperedError,
    CacheLockedError,
    ClassifierError,
    ClassifierNotFoundError,
    FeatureMismatchError,
)
from pipeline.predictions import parse_predictions
from pipeline.stages.fit import fit_table
from tests.feature_tables import add_mirror, make_table

CONFIG = FitConfig()


@pytest.fixture
def table():
    return make_table()


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return save(tmp_path_factory.mktemp("cache"), make_table())


@pytest.fixture
def folder(saved, tmp_path):
    """A fit of `table` in a cache that is `tmp_path`."""
    store = tmp_path / "clouds"
    shutil.copytree(saved.parent, store / saved.parent.name)
    return store / saved.parent.name / saved.name


def path_of(store, table, config):
    return artifacts.fit_path(
        store, key=table.key, content_sha256=table.content_sha256, config=config
    )


def save(cache_dir, table, config=CONFIG):
    store = cache_dir / table.dataset / f"{table.model}-{table.key[:8]}.zarr"
    fitted = fit_table(table, config, store=store.name)
    folder = path_of(store, table, config)
    artifacts.save_fit(
        folder,
        classifier=fitted.classifier,
        table=table,
        config=config,
        report=fitted.report,
        predictions=fitted.predictions,
    )
    return folder


def reseal(folder, **changes):
    """Change model.json as someone would who knows how its digest is made."""
    info = {**artifacts.read_info(folder), **changes}
    write_sealed(folder, info)


def write_sealed(folder, info):
    (folder / "model.json").write_bytes(description.to_json(description.sealed(info)))


def listed(folder):
    """Return what lies beside a fit, itself included; the lock stays."""
    return sorted(path for path in folder.parent.iterdir() if path.name != ".lock")


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_fit_comes_back_whole(folder, table):
    assert sorted(p.name for p in folder.iterdir()) == [
        "metrics.json",
        "model.joblib",
        "model.json",
        "predictions.csv",
    ]
    expected = fit_table(table, CONFIG).report
    report = artifacts.read_report(folder)
    timeless = {"tune_seconds": 0, "fit_seconds": 0, "predict_seconds": 0, "store": ""}
    assert replace(report, **timeless) == replace(expected, **timeless)
    loaded = artifacts.load_model(folder)
    assert loaded.classifier.score(table.features, table.labels) > 0.9
    assert loaded.info["class_names"] == list(table.class_names)
    assert loaded.info["content_sha256"] == table.content_sha256
    assert loaded.info["config"] == CONFIG.to_dict()
    assert set(loaded.info["versions"]) >= {"python", "numpy", "scikit-learn", "joblib"}


def test_a_fit_on_two_views_says_so_and_predicts_from_their_average(tmp_path, table):
    mirrored = add_mirror(replace(table, key="ef" * 32))
    folder = save(tmp_path, mirrored)
    model = artifacts.load_model(folder)
    assert (model.n_views, model.info["n_features"]) == (2, 8)
    artifacts.check_features(model, mirrored.recipe)
    with pytest.raises(FeatureMismatchError, match="views: 2, not 1"):
        artifacts.check_features(model, table.recipe)
    X = views.average_views(mirrored.features, n_views=model.n_views)
    scores = class_scores(model.classifier, X, n_classes=3)
    written = {
        path: (mirrored.class_names[row.argmax()], f"{row.max():.6g}")
        for path, row in zip(mirrored.paths, scores, strict=True)
    }
    frame = parse_predictions(artifacts.read_file(folder, "predictions.csv"))
    assert len(frame) == 12
    for row in frame.to_dict("records"):
        answer = row["prediction"]
        assert written[row["path"]] == (answer, f"{row[f'score:{answer}']:.6g}")


def test_a_fit_on_one_view_says_so(folder):
    assert artifacts.load_model(folder).n_views == 1


@pytest.mark.parametrize("n_views", [0, -1, True, "2", 2.0, None])
def test_fault_55_a_number_of_views_that_is_none_is_refused(folder, n_views):
    reseal(folder, recipe={**artifacts.read_info(folder)["recipe"], "views": n_views})
    with pytest.raises(ArtifactTamperedError, match="'recipe' must be"):
        artifacts.load_model(folder)


def test_folder_lies_beside_the_store(folder, tmp_path):
    assert folder.parent == tmp_path / "clouds" / "fake-abababab.fits"
    assert folder.name.startswith("logreg-")


def test_everything_that_decides_the_outcome_changes_the_name(table, monkeypatch):
    store = Path("cache/clouds/fake.zarr")
    names = {
        path_of(store, table, CONFIG),
        path_of(store, replace(table, key="ef" * 32), CONFIG),
        path_of(store, replace(table, content_sha256="ef" * 32), CONFIG),
        path_of(store, table, replace(CONFIG, seed=1)),
        path_of(store, table, replace(CONFIG, C=1.0)),
        path_of(store, table, replace(CONFIG, cv=3)),
        path_of(store, table, replace(CONFIG, test_size=0.3)),
        path_of(store, table, replace(CONFIG, class_weight="balanced")),
    }
    monkeypatch.setattr(description, "version", lambda name: "0.0")
    names.add(path_of(store, table, CONFIG))
    monkeypatch.setattr(description, "__version__", "0.0")
    names.add(path_of(store, table, CONFIG))
    assert len(names) == 10


def test_fault_53_a_wrong_model_is_never_unpickled(folder, tmp_path):
    proof = tmp_path / "executed"
    (folder / "model.joblib").write_bytes(pickle.dumps(Bomb(proof)))
    for force in (False, True):
        with pytest.raises(ArtifactTamperedError, match=r"model\.joblib is not the file.*SHA-256"):
            artifacts.load_model(folder, force=force)
    assert not proof.exists()
    joblib.load(folder / "model.joblib")  # the bomb is live: only the hash held it back
    assert proof.exists()


@pytest.mark.parametrize("name", ["metrics.json", "predictions.csv", "model.joblib"])
@pytest.mark.parametrize("damage", ["flip", "cut", "gone"])
def test_damaged_files_are_named(folder, name, damage):
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "gone":
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content if damage == "flip" else content[:-1])
    with pytest.raises(ArtifactTamperedError, match=name):
        artifacts.read_file(folder, name)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"class 0"', '"class 9"'),
        ('"seed": 42', '"seed": 43'),
        ("{", ""),
        ("}", ""),
        ("\n", "\n\x00"),
    ],
)
def test_fault_55_info_that_was_edited_is_refused(folder, old, new):
    info = folder / "model.json"
    info.write_text(info.read_text().replace(old, new))
    for read in (artifacts.load_model, artifacts.read_report):
        with pytest.raises(ArtifactTamperedError, match=r"model\.json"):
            read(folder)


@pytest.mark.parametrize("content", ["", "null", "[]", "3", "[" * 100_000])
def test_fault_55_info_that_is_no_object_is_refused(folder, content):
    (folder / "model.json").write_text(content)
    with pytest.raises(ArtifactTamperedError, match=r"model\.json"):
        artifacts.read_info(folder)


def test_fault_54_other_scikit_learn_is_refused_unless_forced(folder):
    versions = artifacts.read_info(folder)["versions"]
    reseal(folder, versions={**versions, "scikit-learn": "0.1"})
    with pytest.raises(ClassifierError, match=r"scikit-learn 0\.1, here is .*--force"):
        artifacts.load_model(folder)
    assert artifacts.load_model(folder, force=True).classifier is not None
    artifacts.read_report(folder)  # numbers need no scikit-learn


@pytest.mark.parametrize("number", [1, 99, "2", None])
def test_other_formats_are_refused(folder, number):
    reseal(folder, format_version=number)
    with pytest.raises(ClassifierError, match=f"format version {number}; this version reads 5"):
        artifacts.read_report(folder)


FIELDS = {
    "usable": 1,
    "gates": [{"name": "accuracy", "least": 0.9, "found": 0.8, "met": 0}],
    "format": "a zip",
    "created": 3,
    "dataset": None,
    "model": ["vgg16"],
    "clf": "tree",
    "class_names": ["a", 3],
    "n_features": "8",
    "key": "../key",
    "recipe": "none",
    "content_sha256": 7,
    "config": {"clf": "logreg", "shell": "rm"},
    "versions": {"numpy": "2"},
    "files": {"model.joblib": "ab" * 32},
}


def test_every_field_of_the_info_is_checked(folder):
    assert {*FIELDS, "format_version"} == set(artifacts.read_info(folder))


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("is_there", [False, True])
def test_fault_55_info_that_no_fit_writes_is_refused_although_it_is_sealed(folder, field, is_there):
    info = artifacts.read_info(folder)
    if is_there:
        info[field] = FIELDS[field]
    else:
        del info[field]
    write_sealed(folder, info)
    for read in (artifacts.load_model, artifacts.read_report, artifacts.verify_files):
        with pytest.raises(ArtifactTamperedError, match=rf"model\.json.*'{field}' must be"):
            read(folder)


def test_fault_55_files_elsewhere_are_never_read(folder, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    vouched = artifacts.read_info(folder)["files"]
    for name in ("../../../secret", str(secret)):
        assert (folder / name).read_text() == "secret"
        reseal(folder, files={**vouched, name: hashlib.sha256(b"secret").hexdigest()})
        with pytest.raises(ArtifactTamperedError, match="'files' must be"):
            artifacts.verify_files(folder)
        reseal_files(folder, vouched)


def reseal_files(folder, files):
    info = json.loads((folder / "model.json").read_text())
    del info["sha256"]
    write_sealed(folder, {**info, "files": files})


@pytest.mark.parametrize("changes", [{"n_features": 9}, {"class_names": ["a", "b"]}])
def test_fault_55_a_classifier_that_is_not_the_one_described_is_refused(folder, changes):
    reseal(folder, **changes)
    with pytest.raises(ArtifactTamperedError, match="is not the classifier that"):
        artifacts.load_model(folder)


@pytest.mark.parametrize("content", [b"{}", b"[]", b"nonsense", b'{"class_names": 3}'])
def test_fault_55_metrics_that_are_no_report_are_refused(folder, content):
    (folder / "metrics.json").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    reseal(folder, files={**artifacts.read_info(folder)["files"], "metrics.json": digest})
    with pytest.raises(ArtifactTamperedError, match=r"metrics\.json is not a report"):
        artifacts.read_report(folder)


def test_fault_54_a_classifier_that_cannot_be_unpickled_is_an_error_that_names_it(
    folder,
):
    versions = artifacts.read_info(folder)["versions"]
    content = b"cthere_is_no_such_module\nname\n."
    (folder / "model.joblib").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    files = {**artifacts.read_info(folder)["files"], "model.joblib": digest}
    reseal(folder, files=files, versions={**versions, "scikit-learn": "0.1"})
    with pytest.raises(ClassifierError, match=r"scikit-learn 0\.1, cannot be unpickled.*no_such"):
        artifacts.load_model(folder, force=True)


def test_fault_32_transfer_values_of_another_recipe_are_refused(folder, table):
    model = artifacts.load_model(folder)
    artifacts.check_features(model, dict(table.recipe))
    artifacts.check_features(model, {**table.recipe, "manifest_digest": "other images"})
    for changes, words in (
        ({"input_size": 150}, "input_size: 224, not 150"),
        ({"layers": ["block4_pool"]}, r"layers: \['top'\], not \['block4_pool'\]"),
        ({"weights_sha256": "ab"}, "weights_sha256: .* not 'ab'"),
        ({"exif": "ignored"}, "exif: None, not 'ignored'"),
        ({"resize": "pad", "precision": "bfloat16"}, "precision: .*; resize: 'crop', not 'pad'"),
    ):
        (backbone,) = table.recipe["backbones"]
        of_backbone = {name: value for name, value in changes.items() if name in backbone}
        other = {**table.recipe, **changes, "backbones": [{**backbone, **of_backbone}]}
        with pytest.raises(FeatureMismatchError, match=words):
            artifacts.check_features(model, other)
    fewer = {name: value for name, value in table.recipe.items() if name != "pooling"}
    with pytest.raises(FeatureMismatchError, match=r"pooling: 'avg', not None\. Extract with"):
        artifacts.check_features(model, fewer)


def test_no_fit_says_what_to_run(tmp_path):
    with pytest.raises(ClassifierNotFoundError, match="Run: fit"):
        artifacts.load_model(tmp_path / "nothing")
    with pytest.raises(ClassifierNotFoundError, match=r"No fit in .*Run: fit$"):
        artifacts.newest_fit(tmp_path)
    with pytest.raises(ClassifierNotFoundError, match=r"of --clf knn in .*Run: fit --clf knn"):
        artifacts.newest_fit(tmp_path, clf="knn")


def test_newest_fit_is_the_one_made_or_used_last(tmp_path, table):
    first = save(tmp_path, table)
    second = save(tmp_path, replace(table, dataset="other"), FitConfig(clf="knn"))
    os.utime(first / "model.json", ns=(1, 1))
    assert artifacts.newest_fit(tmp_path) == second
    assert artifacts.newest_fit(tmp_path, clf="logreg") == first
    assert artifacts.newest_fit(tmp_path, dataset="clouds", model="fake") == first
    artifacts.mark_used(first)
    os.utime(second / "model.json", ns=(1, 1))
    assert artifacts.newest_fit(tmp_path) == first


def test_unfinished_and_damaged_fits_are_passed_over(tmp_path, folder):
    partial = folder.with_name(".logreg-00000000.1234.partial")
    partial.mkdir()
    (partial / "model.json").write_bytes((folder / "model.json").read_bytes())
    damaged = folder.with_name("svm-00000000")
    damaged.mkdir()
    (damaged / "model.json").write_text("{")
    (damaged.with_name("svm-11111111")).mkdir()
    os.utime(folder / "model.json", ns=(1, 1))
    assert artifacts.newest_fit(tmp_path) == folder


def count_steps(monkeypatch, function):
    taken = []
    monkeypatch.setattr(durable, "step", lambda action, path: taken.append((action, path)))
    function()
    return len(taken)


@pytest.mark.parametrize("is_there", [False, True])
def test_a_failed_write_leaves_nothing_half_made(tmp_path, table, monkeypatch, is_there):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # slow, and of no account here
    fitted = fit_table(table, CONFIG)

    def write(cache_dir):
        folder = path_of(cache_dir / "fake.zarr", table, CONFIG)
        artifacts.save_fit(
            folder,
            classifier=fitted.classifier,
            table=table,
            config=CONFIG,
            report=fitted.report,
            predictions=fitted.predictions,
        )
        return folder

    def prepare(name):
        if is_there:
            write(tmp_path / name)
        return tmp_path / name

    first = prepare("first")
    n_steps = count_steps(monkeypatch, lambda: write(first))
    assert n_steps > 15
    for failing in range(n_steps):
        monkeypatch.setattr(durable, "step", lambda action, path: None)
        cache_dir = prepare(str(failing))
        calls = iter(range(1000))

        failed = []

        def fail(action, path, failing=failing, calls=calls, failed=failed):
            if next(calls) == failing:
                failed.append(action)
                raise OSError(errno.ENOSPC, "No space left on device", str(path))

        monkeypatch.setattr(durable, "step", fail)
        try:
            write(cache_dir)
        except OSError as exc:
            assert "No space left" in str(exc)  # noqa: PT017
        else:
            assert failed == ["remove"]  # the old one, out of the way already: in nobody's way
        for folder in cache_dir.glob("fake.fits/[!.]*"):
            artifacts.verify_files(folder)
        monkeypatch.setattr(durable, "step", lambda action, path: None)
        folder = write(cache_dir)
        artifacts.load_model(folder)
        assert listed(folder) == [folder]


def test_a_fit_that_cannot_be_put_in_place_leaves_the_older_one(
    tmp_path, table, folder, monkeypatch
):
    before, targets = sorted(folder.iterdir()), []

    def fail(action, path):
        if action == "rename" and path == folder and folder not in targets:
            targets.append(path)
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(durable, "step", fail)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        save(tmp_path, table)
    assert targets == [folder]
    assert listed(folder) == [folder]
    assert sorted(folder.iterdir()) == before
    artifacts.load_model(folder)


def test_hidden_files_of_somebody_else_stay(tmp_path, table, folder):
    foreign = folder.with_name(".notes.partial")
    foreign.write_text("mine")
    save(tmp_path, table)
    assert foreign.read_text() == "mine"


def test_a_fit_that_is_there_is_replaced(tmp_path, table, folder):
    (folder / "model.joblib").write_bytes(b"damaged")
    assert save(tmp_path, table) == folder
    artifacts.load_model(folder)
    assert listed(folder) == [folder]


def test_fits_of_one_store_are_written_one_after_the_other(folder, tmp_path, table, monkeypatch):
    monkeypatch.setattr(writing, "LOCK_SECONDS", 0.1)
    living = folder.with_name(".svm-00000000.12345678.partial")
    living.mkdir()
    with (
        filelock.FileLock(folder.parent / ".lock"),
        pytest.raises(CacheLockedError, match="A fit is being written into"),
    ):
        save(tmp_path, table)
    assert living.is_dir()  # whoever holds the lock may still be at it
    save(tmp_path, table)
    assert listed(folder) == [folder]


def test_hostile_names_survive(tmp_path):
    names = ('=x"\n', "caf\udce9", "[red]", "3")
    table = make_table(n_classes=4, class_names=names)
    table = replace(table, paths=tuple(f"\udcff\n{path}" for path in table.paths))
    folder = save(tmp_path, table)
    assert artifacts.read_report(folder).class_names == names
    assert artifacts.load_model(folder).info["class_names"] == list(names)


def test_metrics_are_valid_json(tmp_path):
    table = make_table(n_classes=3, n_per_class=4)
    split = np.where(table.labels == 2, 1, np.tile([1, 1, 1, 3], 3)).astype(np.uint8)
    folder = save(tmp_path, replace(table, split=split))

    def refuse(constant):
        raise AssertionError(constant)

    raw = (folder / "metrics.json").read_text()
    fields = json.loads(raw, parse_constant=refuse)
    assert fields["per_class"][2]["recall"] is None


def test_a_fit_that_misses_a_gate_is_not_loaded_unless_forced(folder):
    missed = {"name": "accuracy", "least": 1.0, "found": 0.9, "met": False}
    artifacts.mark_gates(folder, [missed])
    assert artifacts.read_info(folder)["usable"] is False
    with pytest.raises(ClassifierError, match=r"not usable: accuracy is 0\.9000, at least 1 was"):
        artifacts.load_model(folder)
    assert artifacts.load_model(folder, force=True).info["gates"] == [missed]
    artifacts.mark_gates(folder, [{**missed, "least": 0.5, "met": True}])
    assert artifacts.load_model(folder).info["usable"] is True
    artifacts.verify_files(folder)


def test_marking_what_is_marked_already_writes_nothing(folder):
    before = (folder / "model.json").stat().st_mtime_ns
    artifacts.mark_gates(folder, [])
    assert (folder / "model.json").stat().st_mtime_ns == before
