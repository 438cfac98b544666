import json

import numpy as np
import pytest

from pipeline.config import FinetuneConfig, FitConfig
from pipeline.errors import CacheLockedError, FinetuneError
from pipeline.tuned import (
    find_tuned,
    images_csv,
    lock_tuned,
    read_image_uses,
    read_tuned,
    save_tuned,
    settings_of_tuning,
    tuned_path,
    weights_path,
    work_path,
)
from tests.made_tunings import FILES, make_tuned, save


def test_what_is_written_is_read(tmp_path):
    folder, tuned = save(tmp_path)
    assert read_tuned(folder) == tuned
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert weights_path(folder).read_bytes() == b"weights"
    lines = (folder / "history.csv").read_text().splitlines()
    assert lines[0].startswith("epoch,loss,accuracy,validation_loss,validation_accuracy")
    assert len(lines) == 1 + len(tuned.history)
    uses = read_image_uses(folder)
    assert list(uses.values()) == ["train", "train", "validation", "test"]
    assert uses[bytes([1] * 32)] == "train"


def test_nothing_is_read_where_nothing_is(tmp_path):
    assert read_tuned(tmp_path / "nowhere") is None
    with pytest.raises(FinetuneError, match="cannot be read"):
        read_image_uses(tmp_path / "nowhere")


@pytest.mark.parametrize("name", FILES)
def test_a_changed_file_is_noticed(tmp_path, name):
    folder, _ = save(tmp_path)
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(FinetuneError, match="--overwrite"):
        read_tuned(folder)


@pytest.mark.parametrize("name", [name for name in FILES if name != "finetune.json"])
def test_a_missing_file_is_noticed(tmp_path, name):
    folder, _ = save(tmp_path)
    (folder / name).unlink()
    with pytest.raises(FinetuneError, match="cannot be read"):
        read_tuned(folder)


def test_a_newer_format_is_refused(tmp_path):
    from pipeline.records import hash_json

    folder, _ = save(tmp_path)
    path = folder / "finetune.json"
    info = {**json.loads(path.read_bytes()), "format_version": 99}
    info.pop("sha256")
    path.write_text(json.dumps({**info, "sha256": hash_json(info)}))
    with pytest.raises(FinetuneError, match="format version 99"):
        read_tuned(folder)


def test_it_is_replaced_whole_and_what_was_left_half_made_is_removed(tmp_path):
    folder, _ = save(tmp_path)
    left = folder.with_name(f".{folder.name}.0a1b2c3d.partial")
    left.mkdir()
    _, tuned = save(tmp_path, best_epoch=1)
    assert read_tuned(folder).best_epoch == tuned.best_epoch == 1
    assert not left.exists()


def test_it_is_found_by_the_hash_of_its_weights(tmp_path):
    folder, tuned = save(tmp_path / "cache")
    nowhere = tmp_path / "nowhere"
    assert find_tuned(tuned.weights_sha256, near=nowhere, cache_dir=tmp_path / "cache") == folder
    assert find_tuned(tuned.weights_sha256, near=folder, cache_dir=nowhere) == folder
    assert find_tuned("0" * 64, near=folder, cache_dir=tmp_path / "cache") is None
    (folder / "finetune.json").write_bytes(b"{")
    assert find_tuned(tuned.weights_sha256, near=folder, cache_dir=nowhere) is None


def test_a_path_depends_on_all_that_decides(tmp_path):
    store = tmp_path / "pets" / "lite0-12345678.zarr"

    def path(key="a", split=None, **changes):
        settings = settings_of_tuning(FinetuneConfig(**changes), split or FitConfig())
        return tuned_path(store, key=key, settings=settings)

    assert path().parent == store.parent
    assert path().name.startswith("lite0-12345678.finetune-")
    assert path() == path(learning_rate=3e-4) == path(tensorboard=tmp_path)
    others = [
        path("b"),
        path(epochs=3),
        path(unfreeze_from="-3"),
        path(head=(4,)),
        path(augment=("hflip",)),
        path(cache_frozen=False),
        path(split=FitConfig(seed=1)),
        path(split=FitConfig(test_size=0.3)),
        path(split=FitConfig(class_weight="balanced")),
    ]
    assert len({path(), *others}) == 1 + len(others)
    assert path(split=FitConfig(clf="knn")) == path()  # what is fitted afterwards decides nothing
    assert work_path(path()).name.startswith(".")


def test_only_one_process_trains_the_same(tmp_path):
    folder = tmp_path / "pets" / "x.finetune-00000000"
    with (
        lock_tuned(folder),
        pytest.raises(CacheLockedError, match="by another process"),
        lock_tuned(folder),
    ):
        pass
    with lock_tuned(folder):
        pass


def test_names_are_safe_in_the_table():
    content = images_csv(
        ["=cmd.jpg", "b\udcff.jpg"], np.zeros((2, 32), np.uint8), {"train": np.arange(2)}
    )
    assert content.split(b"\n")[1].startswith(b"./=cmd.jpg,")
    assert b"b\xff.jpg" in content


def test_no_room_leaves_nothing(tmp_path, monkeypatch):
    from pipeline.tuned import writing

    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "write_file", full)
    folder = tmp_path / "pets" / "x.finetune-00000000"
    with pytest.raises(OSError, match="No space"):
        save_tuned(folder, make_tuned(), weights=b"", images=b"", drawn={})
    assert list(tmp_path.rglob("*.partial")) == []


def test_of_a_copy_that_trained_and_tests_it_is_known_that_it_trained(tmp_path):
    """A data set's own test images may be copies of its training images."""
    sha256 = np.zeros((3, 32), np.uint8)
    folder, _ = save(tmp_path, sha256=sha256, uses=("train", "test", "unused"))
    assert read_image_uses(folder) == {bytes(32): "train"}
