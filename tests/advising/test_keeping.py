import json
from dataclasses import replace

import pytest

from pipeline import durable
from pipeline.advising.keeping import advice_path, find_probed, keep_probed
from pipeline.config import AdviseConfig
from tests.advising.made_probes import make_counts, make_probed

CONFIG = AdviseConfig()


@pytest.fixture
def store(tmp_path):
    return tmp_path / "pets" / "vgg16-abababab.zarr"


def test_what_was_probed_is_found_again(store):
    assert find_probed(store, CONFIG) is None
    for probed in (make_probed(), replace(make_probed(), late=None, early=None, difference=None)):
        keep_probed(store, CONFIG, make_counts(), probed)
        assert find_probed(store, CONFIG) == (make_counts(), probed)
    assert [path.name for path in store.parent.iterdir()] == ["vgg16-abababab.advice.json"]


@pytest.mark.parametrize("changes", [{"limit": 5}, {"seed": 7}])
def test_what_was_asked_otherwise_is_not_taken(store, changes):
    keep_probed(store, CONFIG, make_counts(), make_probed())
    assert find_probed(store, replace(CONFIG, **changes)) is None


def test_what_was_cut_is_taken_only_by_who_has_no_more_time(store):
    keep_probed(store, CONFIG, make_counts(), make_probed(was_cut=True))
    assert find_probed(store, replace(CONFIG, max_time=60.0)) is not None
    assert find_probed(store, replace(CONFIG, max_time=3_600.0)) is None
    keep_probed(store, CONFIG, make_counts(), make_probed(was_cut=False))
    assert find_probed(store, replace(CONFIG, max_time=3_600.0)) is not None


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: text.replace('"accuracy"', '"exactness"'),
        lambda text: json.dumps({**json.loads(text), "probed": None}),
    ],
)
def test_what_is_damaged_is_probed_again(store, damage):
    keep_probed(store, CONFIG, make_counts(), make_probed())
    path = advice_path(store)
    path.write_text(damage(path.read_text()))
    assert find_probed(store, CONFIG) is None


def test_a_cache_that_cannot_be_written_is_no_error(store, monkeypatch):
    def refuse(action, path):
        raise PermissionError(13, "no", str(path))

    monkeypatch.setattr(durable, "step", refuse)
    keep_probed(store, CONFIG, make_counts(), make_probed())
    assert not advice_path(store).exists()
