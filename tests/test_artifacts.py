import errno
import json
import os
import pickle
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pytest

from pipeline import artifacts, durable
from pipeline.config import FitConfig
from pipeline.errors import ArtifactTamperedError, ClassifierError, ClassifierNotFoundError
from pipeline.stages.fit import fit_table
from tests.feature_tables import make_table

CONFIG = FitConfig()


@pytest.fixture
def table():
    return make_table()


@pytest.fixture
def folder(tmp_path, table):
    return save(tmp_path, table)


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
    info = json.loads((folder / "model.json").read_text())
    info.pop("sha256")
    info.update(changes)
    (folder / "model.json").write_text(json.dumps(artifacts._sealed(info)))


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
    assert replace(report, fit_seconds=0, store="") == replace(expected, fit_seconds=0)
    loaded = artifacts.load_model(folder)
    assert loaded.classifier.score(table.features, table.labels) > 0.9
    assert loaded.info["class_names"] == list(table.class_names)
    assert loaded.info["content_sha256"] == table.content_sha256
    assert loaded.info["config"] == CONFIG.to_dict()
    assert set(loaded.info["versions"]) >= {"python", "numpy", "scikit-learn", "joblib"}


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
    monkeypatch.setattr(artifacts, "version", lambda name: "0.0")
    names.add(path_of(store, table, CONFIG))
    monkeypatch.setattr(artifacts, "__version__", "0.0")
    names.add(path_of(store, table, CONFIG))
    assert len(names) == 10


def test_a_wrong_model_is_never_unpickled(folder, tmp_path):
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
def test_tampered_info_is_refused(folder, old, new):
    info = folder / "model.json"
    info.write_text(info.read_text().replace(old, new))
    for read in (artifacts.load_model, artifacts.read_report):
        with pytest.raises(ArtifactTamperedError, match=r"model\.json"):
            read(folder)


@pytest.mark.parametrize("content", ["", "null", "[]", "3", "[" * 100_000])
def test_info_that_is_no_object_is_refused(folder, content):
    (folder / "model.json").write_text(content)
    with pytest.raises(ArtifactTamperedError, match=r"model\.json"):
        artifacts.read_info(folder)


def test_other_scikit_learn_is_refused_unless_forced(folder):
    versions = artifacts.read_info(folder)["versions"]
    reseal(folder, versions={**versions, "scikit-learn": "0.1"})
    with pytest.raises(ClassifierError, match=r"scikit-learn 0\.1, here is .*--force"):
        artifacts.load_model(folder)
    assert artifacts.load_model(folder, force=True).classifier is not None
    artifacts.read_report(folder)  # numbers need no scikit-learn


def test_newer_format_is_refused(folder):
    reseal(folder, format_version=99)
    with pytest.raises(ClassifierError, match="format version 99; this version reads 1"):
        artifacts.read_report(folder)


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


@pytest.mark.parametrize("step", range(7))
def test_a_failed_write_leaves_nothing(tmp_path, table, monkeypatch, step):
    calls = iter(range(100))

    def sync(path):
        if next(calls) == step:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))

    for module in (durable, artifacts):
        monkeypatch.setattr(module, "sync", sync)
    if step == 6:  # four files, the folder, its parent: there is no seventh
        save(tmp_path, table)
        return
    with pytest.raises(OSError, match="No space left"):
        save(tmp_path, table)
    left = list((tmp_path / "clouds").glob("*.fits/*"))
    assert [p.name.startswith("logreg-") for p in left] == [True] * (step == 5)


def test_a_fit_that_is_there_is_replaced(tmp_path, table, folder):
    (folder / "model.joblib").write_bytes(b"damaged")
    assert save(tmp_path, table) == folder
    artifacts.load_model(folder)
    assert list(folder.parent.iterdir()) == [folder]


def test_the_first_of_two_that_make_the_same_fit_stays(tmp_path, table, monkeypatch):
    rename = Path.rename

    def lose_the_race(path, target):
        if path.suffix == ".partial" and not target.exists():
            target.mkdir()
            (target / "model.json").write_text("theirs")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", lose_the_race)
    folder = save(tmp_path, table)
    assert (folder / "model.json").read_text() == "theirs"
    assert list(folder.parent.iterdir()) == [folder]


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
