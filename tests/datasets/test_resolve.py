import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.datasets import is_present, load_manifest, needs_fetch
from pipeline.datasets.resolve import describe_size, safe_name
from pipeline.errors import ConfigError, DatasetError, EmptyDatasetError


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def test_a_folder(write_files, data_dir):
    root = write_files("cat/1.jpg", "dog/2.jpg", under="my set")
    manifest = load_manifest(f"{root}/", data_dir=data_dir)
    assert manifest.name == "my-set"
    assert manifest.root == root
    assert manifest.paths == ("cat/1.jpg", "dog/2.jpg")


def test_the_current_folder(write_files, data_dir, monkeypatch):
    monkeypatch.chdir(write_files("cat/1.jpg", under="pets"))
    assert load_manifest(".", data_dir=data_dir).name == "pets"


def test_a_table_is_named_after_its_stem(write_files, data_dir):
    root = write_files("1.jpg", "2.jpg")
    (root / "my labels.csv").write_text("path,kind\n1.jpg,a\n2.jpg,b\n")
    manifest = load_manifest(
        str(root / "my labels.csv"), data_dir=data_dir, label_column="kind", limit=1
    )
    assert manifest.name == "my-labels"
    assert manifest.paths == ("1.jpg",)


def test_a_label_column_for_a_folder_is_refused(write_files, data_dir):
    root = write_files("cat/1.jpg")
    with pytest.raises(ConfigError, match="--label-column breed is for a CSV or JSONL file"):
        load_manifest(str(root), data_dir=data_dir, label_column="breed")


def test_a_known_name_means_the_data_folder(write_files, data_dir, monkeypatch, tmp_path):
    write_files("0/1.png", "1/2.png", under="data/digits")
    write_files("mine/1.png", under="digits")
    monkeypatch.chdir(tmp_path)
    assert load_manifest("digits", data_dir=data_dir).class_names == ("0", "1")
    assert load_manifest("./digits", data_dir=data_dir).class_names == ("mine",)


def test_any_other_name_may_lie_in_the_data_folder_too(write_files, data_dir):
    write_files("a/1.png", "b/2.png", under="data/my-photos")
    manifest = load_manifest("my-photos", data_dir=data_dir)
    assert manifest.name == "my-photos"
    assert not needs_fetch("my-photos", data_dir)


@pytest.mark.parametrize("inside", ["", "PetImages/", "dogs-vs-cats/PetImages/"])
def test_a_named_set_keeps_its_name_and_digest_whatever_wraps_it(write_files, data_dir, inside):
    write_files("Cat/1.jpg", "Dog/2.jpg", under=f"data/dogs-vs-cats/{inside}")
    manifest = load_manifest("dogs-vs-cats", data_dir=data_dir)
    assert manifest.name == "dogs-vs-cats"
    assert manifest.paths == ("Cat/1.jpg", "Dog/2.jpg")
    assert manifest.class_names == ("Cat", "Dog")


def test_presence_of_a_named_set(write_files, data_dir):
    assert not is_present("mnist", data_dir)
    assert needs_fetch("mnist", data_dir)
    write_files("mnist.zip", under="data/mnist")
    assert needs_fetch("mnist", data_dir)
    write_files("train/0/1.png", under="data/mnist")
    assert is_present("mnist", data_dir)
    assert not needs_fetch("mnist", data_dir)
    assert not needs_fetch("./cifar10", data_dir)


def test_a_known_name_that_is_not_on_disk_says_what_to_do(data_dir):
    message = r"Run: extract --dataset cifar10, which downloads 170 MB(?s:.*)put it into .*cifar10/"
    with pytest.raises(DatasetError, match=message):
        load_manifest("cifar10", data_dir=data_dir)
    with pytest.raises(DatasetError, match=r"extract --dataset digits.*needs no download"):
        load_manifest("digits", data_dir=data_dir)


def test_an_unknown_name_lists_the_known_ones(data_dir):
    with pytest.raises(DatasetError, match=r"Did you mean 'cifar10'\? Known names: digits, dogs"):
        load_manifest("cifar-10", data_dir=data_dir)
    with pytest.raises(DatasetError, match=r"no data set, folder or file '/no/such/folder'"):
        load_manifest("/no/such/folder", data_dir=data_dir)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("set.zip", "unpack it"),
        ("1.jpg", "It is one image"),
        ("set.xlsx", r"A table ends in \.csv"),
    ],
)
def test_other_files_say_what_to_give_instead(write_files, data_dir, name, message):
    root = write_files(name)
    with pytest.raises(DatasetError, match=f"neither a folder nor a CSV.*{message}"):
        load_manifest(str(root / name), data_dir=data_dir)


@pytest.mark.parametrize("dataset", ["", "  "])
def test_an_empty_name_is_not_the_current_folder(data_dir, dataset):
    with pytest.raises(DatasetError, match="--dataset is empty"):
        load_manifest(dataset, data_dir=data_dir)


def test_an_empty_folder(data_dir, write_files):
    with pytest.raises(EmptyDatasetError, match="Found there: nothing"):
        load_manifest(str(write_files("nothing-here/") / "nothing-here"), data_dir=data_dir)


@pytest.mark.parametrize(
    ("name", "safe"),
    [("a b/c", "a-b-c"), ("..", "dataset"), ("", "dataset"), ("ünï", "n"), ("x_1.2-b", "x_1.2-b")],
)
def test_safe_names(name, safe):
    assert safe_name(name) == safe


@pytest.mark.parametrize(
    ("n_bytes", "words"), [(5, "5 bytes"), (29_515, "29.5 kB"), (824_887_076, "825 MB")]
)
def test_sizes_in_words(n_bytes, words):
    assert describe_size(n_bytes) == words


def test_resolving_imports_nothing_slow():
    code = (
        "import sys, pipeline.datasets, pipeline.stages.datasets\n"
        "slow = {'sklearn', 'pandas', 'PIL', 'zarr', 'tensorflow', 'scipy'} & set(sys.modules)\n"
        "sys.exit(f'imported {slow}' if slow else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
