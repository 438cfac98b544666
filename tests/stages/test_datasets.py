import json

from pipeline.datasets.catalog import KNOWN_NAMES
from pipeline.stages.datasets import list_datasets


def test_the_listing_says_what_there_is_and_what_is_on_disk(tmp_path):
    (tmp_path / "mnist" / "train" / "0").mkdir(parents=True)
    (tmp_path / "mnist" / "train" / "0" / "1.png").write_bytes(b"x")
    entries = {entry.name: entry for entry in list_datasets(tmp_path)}
    assert tuple(entries) == KNOWN_NAMES
    assert [name for name, entry in entries.items() if entry.present] == ["mnist"]
    assert entries["digits"].download_bytes == 0
    cats = entries["dogs-vs-cats"]
    assert (cats.images, cats.classes, cats.download_bytes) == (25_000, 2, 824_887_076)
    assert cats.folder == str(tmp_path / "dogs-vs-cats")
    fields = json.loads(json.dumps(cats.to_dict()))
    assert fields["urls"] == list(cats.urls)
    assert "recorded by other projects" in fields["hash_source"]
