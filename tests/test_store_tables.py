from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from pipeline.stages.clean import Cleaning, Kept, Removed
from pipeline.stages.diff import StoreDiff, ValuesDiff
from pipeline.stages.export_values import Export
from pipeline.stages.stores import StoreDetails, StoreEntry
from pipeline.store_tables import (
    describe_age,
    render_cleaning,
    render_details,
    render_diff,
    render_export,
    render_stores,
)

NOW = datetime.now(UTC)
ENTRY = StoreEntry(
    path=Path("cache/cats-and-dogs/efficientnet-lite0-5e4b4327.zarr"),
    dataset="cats-and-dogs",
    model="efficientnet-lite0",
    key="5e4b4327" * 8,
    n_rows=60_000,
    width=1280,
    n_bytes=153_000_000,
    state="complete",
    done=1.0,
    n_fits=12,
    used=NOW - timedelta(minutes=10),
)


def lines_of(renderable, width=80):
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    console.print(renderable, soft_wrap=True)
    console.file.close()
    return console.export_text().splitlines()


class TestStores:
    def test_a_line_a_store_below_its_data_set(self):
        entry = replace(ENTRY, used=datetime.now(UTC) - timedelta(minutes=10))
        half = replace(entry, state="incomplete", done=0.43, n_fits=0, unlike=("160 px", "pad"))
        other = replace(entry, path=Path("cache/digits/vgg16-00000000.zarr"))
        lines = lines_of(render_stores([entry, half, other], Path("cache")))
        assert lines == [
            "store                                values    size  state     fits  used ago",
            "cats-and-dogs/",
            "efficientnet-lite0-5e4b4327  60,000 × 1,280  153 MB  complete    12    10 min",
            "efficientnet-lite0-5e4b4327  60,000 × 1,280  153 MB  43% done     0    10 min",
            "  160 px, pad",
            "digits/",
            "vgg16-00000000               60,000 × 1,280  153 MB  complete    12    10 min",
            "",
            "3 stores in cache, 459 MB, 24 fits.",
        ]
        assert max(map(len, lines)) <= 80

    def test_what_is_wrong_and_who_writes_follows(self):
        damaged = replace(ENTRY, state="damaged", problem="all [of] it is gone", n_rows=0, width=0)
        writing = replace(ENTRY, state="writing", done=0.5, holder="process 7")
        again = replace(ENTRY, holder="process 8")
        lines = lines_of(render_stores([damaged, writing, again], Path("cache")))
        assert "?  153 MB  damaged" in lines[2]
        assert "writing " in lines[3]
        assert "damaged: all [of] it is gone" in lines
        assert f"being written: {ENTRY.path}, process 7, 50% done" in lines
        assert f"being written: {ENTRY.path}, process 8" in lines

    def test_an_empty_cache_says_what_to_run(self):
        assert lines_of(render_stores([], Path("cache"))) == [
            "No store in cache. To make one, run: extract --dataset digits"
        ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 s"), (59, "59 s"), (61, "1 min"), (3599, "59 min"), (7300, "2 h"),
        (86_399, "23 h"), (90_000, "1 d"), (59 * 86_400, "59 d"), (60 * 86_400, "2026-01-01"),
    ],
)  # fmt: skip
def test_ages(seconds, words):
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    assert describe_age(moment, moment + timedelta(seconds=seconds)) == words


DETAILS = StoreDetails(
    runs=(),
    entry=ENTRY,
    content_sha256="ab" * 32,
    recipe={"manifest_digest": "cd" * 32, "backbones": [{"layers": [], "input_size": 224}]},
    provenance={
        "engine": "openvino",
        "device": "cpu",
        "batch_size": 32,
        "versions": {"keras": "3.1", "openvino": "2"},
        "agreeing_versions": [{"keras": "3.2"}],
        "copied_from": [{"store": "pets/old.zarr", "versions": {}}],
    },
    command="extract --dataset digits",
    by_class={f"class {i}": i for i in range(25)},
    by_split={"none": 7},
    skipped={"zero bytes": 2},
    oddities={"grey": 3},
    n_usable=59_998,
    value_bytes=300,
    stored_bytes=200,
    block_length=256,
    n_blocks=235,
    n_committed=235,
    root="/photos",
)


def test_details_say_everything():
    lines = lines_of(render_details(DETAILS))
    assert lines[0] == "cats-and-dogs × efficientnet-lite0: 60,000 × 1,280, complete"
    for words in (
        "  store    cache/cats-and-dogs/efficientnet-lite0-5e4b4327.zarr",
        "  size     153 MB; 300 bytes of values, 1.50 : 1",
        "  blocks   235 of 235 committed, 256 rows each",
        f"  key      {ENTRY.key}",
        f"  content  {'ab' * 32}",
        "  images   60,000 = 59,998 with values + 2 without",
        "  without  2 zero bytes",
        "  unusual  3 grey",
        "  class    0 class 0",
        "           19 class 19",
        "           ... and 5 more",
        "  manifest digest  cdcdcdcdcdcdcdcd...",
        "  layers           none",
        "  input size       224",
        "  command      extract --dataset digits",
        "  folder       /photos",
        "  engine       openvino on cpu",
        "  libraries    keras 3.1, openvino 2",
        "  agreeing     keras 3.2",
        "  copied from  pets/old.zarr",
    ):
        assert words in lines
    assert max(map(len, lines)) <= 80


def test_details_of_what_is_not_complete():
    entry = replace(ENTRY, state="writing", done=0.25, holder="process 7")
    lines = lines_of(render_details(replace(DETAILS, entry=entry, content_sha256="")))
    assert lines[0].endswith(", 25% done")
    assert any(line.endswith("not complete yet") for line in lines)
    assert "  written by  process 7" in lines


def test_the_last_runs_are_told_with_what_they_waited_for():
    ledger = {"start": 1.0, "inference": 3.0, "rest": 0.001, "total": 4.001, "work_writing": 2.0}
    run = {"ended": "2026-01-02", "n_computed": 1000, "batch_size": 8, "ledger": ledger}
    runs = [{"ended": f"run {n}"} for n in range(9)]
    lines = lines_of(render_details(replace(DETAILS, runs=[*runs, run])))
    found = [line.strip().removeprefix("run ").strip() for line in lines if "computed" in line]
    assert len(found) == 5
    assert found[-1] == (
        "2026-01-02: 1,000 computed, 0 copied in batches of 8; 4.0 s, waiting for inference 3.0 s "
        "(75%), start 1.0 s (25%)"
    )


DIFF = StoreDiff(
    a=Path("a.zarr"),
    b=Path("b.zarr"),
    n_rows=(10, 11),
    recipe={},
    versions={"keras": ("1", None)},
    about={"class_names": (["a"], ["a", "b"])},
    n_common=5,
    only_a=(),
    only_b=("1", "2", "3", "new\nline"),
    changed=(),
    renamed=(("old", "new"),),
    labels=(("x", "cat", "dog"),),
    splits=(),
    groups=(("y", "", "g"),),
    states=(),
    values=ValuesDiff(
        n_rows=6, n_identical=5, worst_cosine=0.5, largest_difference=0.25, worst_path="z"
    ),
)


def test_a_diff_shows_the_first_few_and_what_it_means():
    assert lines_of(render_diff(DIFF)) == [
        "a.zarr",
        "-> b.zarr",
        "Data set",
        "  class names  a -> a, b",
        "Libraries",
        "  keras  1 -> none",
        "Images",
        "  in all   10 -> 11, of these 5 with the same path and content",
        "  added    4",
        "           1",
        "           2",
        "           3",
        "           ... and 1 more",
        "  renamed  1",
        "           old -> new",
        "  label    1",
        "           x: cat -> dog",
        "  group    1",
        "           y: none -> g",
        "Values",
        "  compared            6 rows",
        "  identical           5 rows",
        "  worst cosine        0.50000000",
        "  largest difference  0.25",
        "                      z",
        "",
        *lines_of(DIFF.meaning),
    ]


def test_values_that_were_not_compared():
    lines = lines_of(render_diff(replace(DIFF, values=None, recipe={"dtype": ("a", "b")})))
    assert "  not compared: the recipes differ" in [f"  {line.strip()}" for line in lines]
    assert "  dtype  a -> b" in lines


@pytest.mark.parametrize(("dry_run", "begin"), [(True, "would be removed"), (False, "removed")])
def test_a_cleaning(dry_run, begin):
    cleaning = Cleaning(dry_run=dry_run)
    kept = Kept(path=Path("cache/whole"), why="a link")
    cleaning.kept.append(kept)
    assert lines_of(render_cleaning(cleaning, Path("cache"))) == [
        "kept: cache/whole",
        "  a link",
        "Nothing to remove in cache.",
    ]
    cleaning.removed.append(Removed(path=Path("cache/x\ny"), n_bytes=1500, why="half made"))
    lines = lines_of(render_cleaning(cleaning, Path("cache")))
    assert lines[:2] == [rf"{begin}: cache/x\ny", "  1.5 kB, half made"]
    assert lines[-1] == f"{'Would remove' if dry_run else 'Removed'} 1 thing, 1.5 kB."


def test_an_export():
    export = Export(
        store=Path("a.zarr"),
        to=Path("b.csv"),
        format="csv",
        n_rows=1000,
        n_features=3,
        n_bytes=2000,
        n_skipped=1,
    )
    assert lines_of(render_export(export)) == [
        "a.zarr as csv",
        "  rows      1,000 × 3",
        "  left out  1 without values",
        "  written   b.csv (2 kB)",
    ]
    assert not [line for line in lines_of(render_export(replace(export, n_skipped=0))) if
                "left out" in line]  # fmt: skip
