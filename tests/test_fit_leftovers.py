import filelock
import pytest

from pipeline import durable
from pipeline.artifacts.leftovers import (
    count_fits,
    list_foreign,
    list_half_made,
    list_partial_fits,
    remove_fits,
    remove_half_made,
)
from pipeline.cache import find_leftovers
from pipeline.config import FitConfig
from pipeline.errors import CacheError, CacheLockedError
from pipeline.stages import fit as fit_stage
from tests.feature_tables import make_table, serve_table


@pytest.fixture
def fits(tmp_path, monkeypatch):
    """The folder of two real fits."""
    serve_table(monkeypatch, make_table())
    store = tmp_path / "clouds" / "fake-abababab.zarr"
    for clf in ("logreg", "knn"):
        folder = fit_stage.fit(store, FitConfig(clf=clf)).folder
    return folder.parent


def test_what_fit_writes_is_known(fits):
    assert count_fits(fits.with_suffix(".zarr")) == 2
    assert list_foreign(fits) == []
    assert list_partial_fits(fits) == []
    assert find_leftovers(fits.parent) == []


def test_half_made_fits_go_and_whole_ones_stay(fits):
    partial = fits / ".knn-01234567.89abcdef.partial"
    partial.mkdir()
    (partial / "model.json").touch()
    assert list_partial_fits(fits) == [partial]
    assert count_fits(fits.with_suffix(".zarr")) == 2
    remove_half_made(fits)
    assert not partial.exists()
    assert count_fits(fits.with_suffix(".zarr")) == 2


def test_half_made_pages_and_maps_go_too(fits):
    (fit,) = [path for path in fits.iterdir() if path.name.startswith("knn-")]
    left = [fit / ".report.html.01234567.partial", fits / ".map-tsne-01234567.map.89abcdef.partial"]
    for path in left:
        path.touch()
    assert sorted(list_half_made(fits)) == sorted(left)
    remove_half_made(fits)
    assert not any(path.exists() for path in left)
    assert count_fits(fits.with_suffix(".zarr")) == 2


def test_all_go_with_their_folder(fits):
    remove_fits(fits)
    assert not fits.exists()


def test_their_new_names_are_on_the_disk_before_they_are_deleted(fits, monkeypatch):
    steps = []
    monkeypatch.setattr(durable, "step", lambda *args: steps.append(args))
    remove_fits(fits)
    assert [action for action, _ in steps] == ["rename", "sync", "remove"] * 2
    for k in (0, 3):
        assert steps[k + 1] == ("sync", fits)
        assert steps[k + 2][1] == steps[k][1]


@pytest.mark.parametrize("name", ["notes.txt", "figures/notes.txt", "deep/er/notes"])
def test_fault_28_a_fit_that_holds_a_foreign_file_stays(fits, name):
    fit = next(path for path in sorted(fits.iterdir()) if path.name.startswith("knn"))
    (fit / name).parent.mkdir(parents=True, exist_ok=True)
    (fit / name).write_text("mine")
    assert fit / name in list_foreign(fits)
    remove_fits(fits)
    assert (fit / name).read_text() == "mine"
    assert (fit / "model.joblib").exists()
    assert count_fits(fits.with_suffix(".zarr")) == 1


def test_fault_28_links_are_foreign_and_not_followed(tmp_path, fits):
    (tmp_path / "model.json").touch()
    (fits / "linked").symlink_to(tmp_path)
    (fits / ".knn-01234567.89abcdef.partial").symlink_to(tmp_path)
    assert list_foreign(fits) == sorted(p for p in fits.iterdir() if p.is_symlink())
    assert list_partial_fits(fits) == []
    remove_fits(fits)
    assert (fits / "linked").is_symlink()
    assert count_fits(fits.with_suffix(".zarr")) == 0


def test_nothing_goes_while_a_fit_is_written(fits):
    with filelock.FileLock(fits / ".lock"):
        for remove_them in (remove_fits, remove_half_made):
            with pytest.raises(CacheLockedError, match="being written"):
                remove_them(fits)
    assert count_fits(fits.with_suffix(".zarr")) == 2


def test_a_file_system_without_locks_is_named(fits, monkeypatch):
    def acquire(self):
        raise NotImplementedError

    monkeypatch.setattr(filelock.FileLock, "acquire", acquire)
    with pytest.raises(CacheError, match=rf"file system of {fits} has no locks.*--cache-dir"):
        remove_fits(fits)
    assert count_fits(fits.with_suffix(".zarr")) == 2
