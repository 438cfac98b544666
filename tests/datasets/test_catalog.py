import re

import pytest

from pipeline.datasets.catalog import DATASETS, KNOWN_NAMES, find_spec
from pipeline.datasets.resolve import safe_name

every_set = pytest.mark.parametrize("spec", DATASETS, ids=KNOWN_NAMES)


def test_the_names_are_those_of_the_documentation():
    assert KNOWN_NAMES == (
        "digits",
        "dogs-vs-cats",
        "cifar10",
        "cifar100",
        "mnist",
        "fashion-mnist",
        "tf-flowers",
    )
    assert find_spec("mnist") is DATASETS[4]
    assert find_spec("imagenet") is None


@every_set
def test_names_can_be_folders(spec):
    assert safe_name(spec.name) == spec.name
    assert all(re.fullmatch(r"[\w-]+", name) for name in spec.class_names)
    assert len(set(spec.class_names)) == len(spec.class_names)


@every_set
def test_files_have_an_address_a_size_and_a_hash_with_a_source(spec):
    assert bool(spec.files) == (spec.kind != "embedded")
    for file in spec.files:
        assert re.fullmatch(r"https?://[^\s]+/[\w.-]+", file.url)
        assert file.size > 4000
        assert file.sha256 is None or re.fullmatch("[0-9a-f]{64}", file.sha256)
        assert spec.hash_source
    hashes = [file.sha256 for file in spec.files]
    assert len(set(hashes)) == len(hashes)


@pytest.mark.parametrize(
    ("name", "n_classes"), [("cifar10", 10), ("cifar100", 100), ("mnist", 10), ("tf-flowers", 5)]
)
def test_number_of_classes(name, n_classes):
    assert len(find_spec(name).class_names) == n_classes


def test_no_pickle_is_ever_downloaded():
    names = [file.name for spec in DATASETS for file in spec.files]
    assert [name for name in names if "cifar" in name] == [
        "cifar-10-binary.tar.gz",
        "cifar-100-binary.tar.gz",
    ]
