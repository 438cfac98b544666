"""Damage in any file of a store: named and refused, or mended; never other numbers."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import fields, replace

import numpy as np
import pytest
import zarr

from pipeline import cache
from pipeline.cache import StoredRows, StoreWriter, layout
from pipeline.config import ExtractConfig, FitConfig
from pipeline.errors import (
    ArtifactTamperedError,
    CacheCorruptError,
    CacheError,
    CacheMismatchError,
    CacheNotFoundError,
)
from pipeline.extraction.preparing import prepare
from pipeline.extraction.settings import settings_of
from pipeline.records import FORMAT_VERSION
from pipeline.stages.extract import extract
from pipeline.stages.fit import fit
from pipeline.stages.report import report
from pipeline.stages.verify import repair, verify
from tests.conftest import REPOSITORY, TINTS, MeanColourEngine, save_photo
from tests.faults.harness import files_of
from tests.test_cli import SMALL, run

N_IMAGES, BLOCK = 20, 8
N_BLOCKS = -(-N_IMAGES // BLOCK)
LONGEST = 60  # seconds for one test: a reader that waits for ever is a failure
SEED = 20

BLOCK_ARRAYS = ("features", "status", "oddities", "commit")
WHOLE_ARRAYS = ("labels", "split", "group")
SAMPLE_ARRAYS = ("sample/paths", "sample/offsets", "sample/size", "sample/sha256")


def chunk_of(array, block=0):
    """Return the file of one chunk of an array; only blocks have more than one."""
    place = "/0" if array in ("features", "commit", "sample/sha256") else ""
    return f"{array}/c/{block}{place}"


CHUNKS = [
    *(chunk_of(name, block) for name in BLOCK_ARRAYS for block in range(N_BLOCKS)),
    *(chunk_of(name) for name in (*WHOLE_ARRAYS, *SAMPLE_ARRAYS)),
]
ARRAYS = (*BLOCK_ARRAYS, *WHOLE_ARRAYS, *SAMPLE_ARRAYS)
METADATA = ["zarr.json", "sample/zarr.json", *(f"{name}/zarr.json" for name in ARRAYS)]


@pytest.fixture(scope="module", autouse=True)
def quick():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "block_length", lambda row_bytes: BLOCK)
        patch.setattr(os, "fsync", lambda descriptor: None)  # only costs time: no power is cut
        yield


@pytest.fixture(autouse=True)
def no_hang():
    def stop(*args):
        raise AssertionError(f"not done after {LONGEST} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(LONGEST)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def make_photos(folder):
    """Make a data set with classes, splits, groups, an image that is none and an odd one."""
    rows = ["path,label,split,group"]
    for i in range(N_IMAGES):
        save_photo(folder / f"{i:02}.jpg", seed=i, tint=(60 * (i % 2), 0, 60))
        split = "test" if i % 3 == 0 else "train"
        rows.append(f"{i:02}.jpg,{('blue', 'red')[i % 2]},{split},{f'g{i // 2}' if i % 5 else ''}")
    (folder / "05.jpg").write_text("not an image")
    with (folder / "11.jpg").open("ab") as file:
        file.write(b"bytes after the end")
    (folder / "table.csv").write_text("\n".join(rows))
    return folder / "table.csv"


def make_store(table, cache_dir, engine=None, **changes):
    job = prepare(config_of(table, cache_dir, **changes))
    extract(job, lambda job: engine or MeanColourEngine())
    return job.store


def config_of(table, cache_dir, **changes):
    return ExtractConfig(
        dataset=str(table),
        image_size=32,
        weights="random",
        cache_dir=cache_dir,
        workers=1,
        **changes,
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A data set, and a complete store of it that no test changes."""
    folder = tmp_path_factory.mktemp("made")
    table = make_photos(folder / "photos")
    return table, make_store(table, folder / "cache")


@pytest.fixture
def table(made):
    return made[0]


@pytest.fixture
def store(made, tmp_path):
    """A copy of the store, to be damaged."""
    _, original = made
    path = tmp_path / "cache" / original.parent.name / original.name
    shutil.copytree(original, path)
    return path


def plain(value):
    """Return what tells two values apart, every bit of an array included."""
    if isinstance(value, np.ndarray):
        return str(value.dtype), value.shape, value.tobytes()
    return value


def read_table(store):
    table = cache.read_features(store)
    # The settings say how it was made, the source among them; no number comes from them.
    names = [field.name for field in fields(table) if field.name != "source"]
    return {name: plain(getattr(table, name)) for name in names}


def read_rows(store):
    rows = StoredRows(store)
    names = ("labels", "group", "split", "status", "oddities", "sha256", "paths", "about")
    blocks = [(plain(numbers), plain(values)) for numbers, values in rows.iter_values()]
    # Versions, host and settings say how it was made; nothing is computed from them.
    about = replace(rows.about, provenance={})
    return {name: plain(getattr(rows, name)) for name in names} | {"about": about, "blocks": blocks}


def read_status(store):
    states = cache.read_states(store)
    return plain(states.status), plain(states.oddities)


def judge(read, store, expected):
    """Return "identical" or "refused"; anything else is a failure.

    Parameters
    ----------
    read : callable
    store : Path
    expected
        What `read` gave when the store was whole.
    """
    try:
        found = read(store)
    except CacheError as exc:
        assert str(store) in str(exc)  # noqa: PT017
        assert "--overwrite" in str(exc) or "--cache-dir" in str(exc)  # noqa: PT017
        return "refused"
    assert found == expected
    return "identical"


READERS = (read_table, read_rows, read_status)


def remember(store):
    return [(read, read(store)) for read in READERS]


def judge_all(store, remembered):
    outcomes = {read.__name__: judge(read, store, expected) for read, expected in remembered}
    with contextlib.suppress(CacheError):
        cache.read_info(store)
    with contextlib.suppress(CacheNotFoundError):
        cache.find_store(store.parent.parent)
    return outcomes


@contextlib.contextmanager
def restored(*paths):
    """Put files back as they were."""
    good = [path.read_bytes() for path in paths]
    yield
    for path, data in zip(paths, good, strict=True):
        path.write_bytes(data)


def flip(path, position=None, bit=0):
    data = bytearray(path.read_bytes())
    data[len(data) // 2 if position is None else position] ^= 1 << bit
    path.write_bytes(data)


def cut(path):
    path.write_bytes(path.read_bytes()[:-3])


def empty(path):
    path.write_bytes(b"")


def delete(path):
    path.unlink()


def swap(one, two):
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


def edit(path, change):
    """Change the attributes of a group's, or the fields of an array's, zarr.json."""
    content = json.loads(path.read_text())
    change(content.get("attributes") or content)
    path.write_text(json.dumps(content, indent=2))


def test_the_lists_above_name_every_file_of_a_store(store):
    assert sorted(files_of(store)) == sorted([*CHUNKS, *METADATA])


@pytest.mark.parametrize("damage", [delete, empty, cut])
def test_fault_20_21_22_a_chunk_that_is_deleted_emptied_or_cut_is_named(store, damage):
    remembered = remember(store)
    for name in CHUNKS:
        with restored(store / name):
            damage(store / name)
            outcomes = judge_all(store, remembered)
            assert outcomes["read_table"] == outcomes["read_rows"] == "refused", name
            if not name.startswith("features"):  # which are not read for the status
                assert outcomes["read_status"] == "refused", name
            with pytest.raises(CacheCorruptError) as caught:
                cache.read_features(store)
            array, _, place = name.partition("/c/")
            assert f"{store}: {array}" in str(caught.value), name
            if array == "features":
                assert f"block {place[0]} (rows {BLOCK * int(place[0])} to" in str(caught.value)
    assert set(judge_all(store, remembered).values()) == {"identical"}


@pytest.mark.parametrize("damage", [delete, empty, cut])
def test_fault_20_21_22_26_metadata_that_is_deleted_emptied_or_cut_is_refused(store, damage):
    remembered = remember(store)
    for name in METADATA:
        with restored(store / name):
            damage(store / name)
            outcomes = judge_all(store, remembered)
            # The group in between says nothing: its arrays are found without it.
            allowed = {"refused"} if name != "sample/zarr.json" else {"refused", "identical"}
            assert set(outcomes.values()) <= allowed, name
            assert not verify(store).is_sound, name


class TestManyAtRandom:
    """Fault 23: no damage anywhere gives other numbers in silence."""

    def test_fault_23_no_bit_flip_gives_other_numbers(self, store):
        random = np.random.default_rng(SEED)
        names = [*CHUNKS, *METADATA]
        remembered = [(read, read(store)) for read in (read_table, read_rows)]
        outcomes = Counter()
        for i in range(200):
            path = store / names[i % len(names)]
            with restored(path):
                flip(path, random.integers(path.stat().st_size), random.integers(8))
                for read, expected in remembered:
                    kind = "metadata" if path.name == "zarr.json" else "chunk"
                    outcomes[read.__name__, kind, judge(read, store, expected)] += 1
        print(dict(outcomes))
        assert {key for key in outcomes if key[1] == "chunk"} == {
            (read, "chunk", "refused") for read in ("read_table", "read_rows")
        }
        assert outcomes["read_table", "metadata", "refused"] > 0
        assert sum(outcomes.values()) == 400

    def test_fault_23_no_swap_gives_other_numbers(self, store):
        random = np.random.default_rng(SEED)
        names = [*CHUNKS, *METADATA]
        expected, outcomes = read_table(store), Counter()
        for _ in range(20):
            one, two = (store / names[k] for k in random.choice(len(names), 2, replace=False))
            with restored(one, two):
                same = one.read_bytes() == two.read_bytes()
                swap(one, two)
                outcomes[judge(read_table, store, expected), same] += 1
        print(dict(outcomes))
        # Two files with the same bytes in them are no damage.
        assert set(outcomes) <= {("refused", False), ("identical", True)}

    @pytest.mark.parametrize("damage", ["truncation", "deletion"])
    def test_fault_23_no_truncation_or_deletion_gives_other_numbers(self, store, damage):
        random = np.random.default_rng(SEED)
        names = [*CHUNKS, *METADATA]
        expected, outcomes = read_table(store), Counter()
        for k in random.choice(len(names), 20, replace=False):
            path = store / names[k]
            with restored(path):
                if damage == "truncation":
                    path.write_bytes(path.read_bytes()[: random.integers(path.stat().st_size)])
                else:
                    path.unlink()
                outcomes[names[k], judge(read_table, store, expected)] += 1
        print(Counter(outcome for _, outcome in outcomes))
        assert {name for name, outcome in outcomes if outcome == "identical"} <= {
            "sample/zarr.json"
        }

    def test_fault_23_fit_and_report_refuse_or_give_the_same(self, store):
        config = FitConfig(clf="logreg")
        whole = fit(store, config)
        folder, refused = whole.folder, []
        for name in ("features/c/1/0", "labels/c/0", "split/c/0", "status/c/2", "zarr.json"):
            with restored(store / name):
                # In zarr.json not just anywhere: some of it is not read.
                place = (store / name).read_bytes().find(b'"key"') + 10
                flip(store / name, place if name == "zarr.json" else None)
                with pytest.raises(CacheError, match=str(store)):
                    fit(store, config)
        for path in sorted(path for path in folder.iterdir() if path.is_file()):
            with restored(path):
                flip(path)
                try:
                    assert report(store.parent.parent, fit=folder).report == whole.report
                except ArtifactTamperedError as exc:
                    refused.append(path.name)
                    assert str(path) in str(exc)  # noqa: PT017
        assert {"model.json", "metrics.json"} <= set(refused)
        assert fit(store, config).report.accuracy == whole.report.accuracy
        assert report(store.parent.parent).report.accuracy == whole.report.accuracy


class OtherEngine(MeanColourEngine):
    """Of the same width, but with other values."""

    def infer_many(self, batches):
        for values in super().infer_many(batches):
            yield values[:, ::-1] / 2


def make_other_store(table, cache_dir):
    """Make a store of the same rows and shape by another recipe."""
    return make_store(table, cache_dir, engine=OtherEngine(), pooling="max")


class TestValidInTheWrongPlace:
    @pytest.mark.parametrize("names", [*((name,) for name in BLOCK_ARRAYS), BLOCK_ARRAYS])
    def test_fault_24_two_valid_chunks_that_changed_places(self, store, names):
        remembered = remember(store)
        for name in names:
            swap(*(store / chunk_of(name, block) for block in (0, 1)))
        outcomes = judge_all(store, remembered)
        assert outcomes["read_table"] == outcomes["read_rows"] == "refused"
        with pytest.raises(CacheCorruptError, match=rf"block 0 \(rows 0 to {BLOCK - 1}\)"):
            cache.read_features(store)
        assert verify(store).bad_blocks == (0, 1)

    def test_fault_24_two_valid_arrays_that_changed_places(self, store):
        remembered = remember(store)
        swap(store / "labels/c/0", store / "group/c/0")
        assert set(judge_all(store, remembered).values()) == {"refused"}
        with pytest.raises(CacheCorruptError, match=r"labels.*changed after writing"):
            cache.read_features(store)

    @pytest.mark.parametrize("names", [("features",), ("commit",), BLOCK_ARRAYS])
    def test_fault_24_valid_chunks_of_another_store(self, store, table, tmp_path, names):
        remembered = remember(store)
        other = make_other_store(table, tmp_path / "other")
        before = files_of(store)
        for name in names:
            shutil.copy(other / chunk_of(name, 1), store / chunk_of(name, 1))
        outcomes = judge_all(store, remembered)
        assert outcomes["read_table"] == outcomes["read_rows"] == "refused"
        with pytest.raises(CacheCorruptError, match=r"block 1 \(rows 8 to 15\)"):
            cache.read_features(store)
        assert verify(store).bad_blocks == (1,)
        assert mend(store).n_images == BLOCK
        assert files_of(store) == before

    @pytest.mark.parametrize(
        ("name", "value", "named"),
        [
            ("commit", 7, "block 2"),
            ("commit", 0, "block 2"),
            ("status", 5, "block 2"),
            ("status", 255, "block 2"),
            ("oddities", 1, "block 2"),
            ("features", 0.5, "block 2"),
            ("labels", 0, "labels"),
            ("labels", 77, "labels"),
            ("split", 2, "labels"),
            ("group", 3, "labels"),
            ("sample/sha256", 1, "block 2"),
            ("sample/size", 1, "labels"),
        ],
    )
    def test_fault_25_values_that_were_altered_through_zarr(self, store, name, value, named):
        remembered = remember(store)
        array = zarr.open_group(store, mode="r+")[name]
        last = array.shape[0] - 1
        assert not np.array_equal(array[last], np.full_like(array[last], value))
        array.with_config({"write_empty_chunks": True})[last] = value
        outcomes = judge_all(store, remembered)
        assert outcomes["read_table"] == outcomes["read_rows"] == "refused"
        if name != "features":  # these are not read for the status
            assert outcomes["read_status"] == "refused"
        with pytest.raises(CacheCorruptError, match=rf"{store}: .*{named}"):
            cache.read_features(store)

    def test_fault_25_an_altered_status_is_not_reported_as_a_finished_extraction(
        self, store, table
    ):
        zarr.open_group(store, mode="r+")["status"][3] = 5
        with pytest.raises(CacheCorruptError, match=f"{store}.*--overwrite"):
            extract(prepare(config_of(table, store.parent.parent)), no_engine)


class TestDescription:
    @pytest.mark.parametrize("name", ["zarr.json", "features/zarr.json", "labels/zarr.json"])
    @pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"zarr_format": 3}', '{"a": {}}'])
    def test_fault_26_metadata_that_is_emptied_is_refused(self, store, name, text):
        (store / name).write_text(text)
        for read in READERS:
            with pytest.raises(CacheCorruptError, match=f"{store}.*--(overwrite|cache-dir)"):
                read(store)
        assert not verify(store).is_sound

    def test_fault_26_a_newer_format_is_named_and_left_alone(self, store):
        edit(store / "zarr.json", lambda a: a.update(format_version=FORMAT_VERSION + 1))
        before = files_of(store)
        says = (
            f"{store} is not a store this version reads: expected .* version {FORMAT_VERSION}, "
            f"found .* version {FORMAT_VERSION + 1}. Move it away, or give another --cache-dir"
        )
        for read in (*READERS, settings_of):
            with pytest.raises(CacheCorruptError, match=says):
                read(store)
        assert not verify(store).is_sound
        assert files_of(store) == before

    @pytest.mark.parametrize("name", ["zarr.json", "features/zarr.json"])
    def test_fault_26_a_newer_zarr_is_named(self, store, name):
        edit(store / name, lambda a: None)
        text = (store / name).read_text()
        assert text.count('"zarr_format": 3') == 1
        (store / name).write_text(text.replace('"zarr_format": 3', '"zarr_format": 4'))
        with pytest.raises(CacheCorruptError, match=str(store)):
            cache.read_features(store)


class CountingOpener:
    """Opens one engine, and knows how many images it computed."""

    def __init__(self):
        self.engine = None

    def __call__(self, job):
        assert self.engine is None
        self.engine = MeanColourEngine()
        return self.engine

    @property
    def n_images(self):
        return self.engine.n_images if self.engine else 0


def no_engine(job):
    raise AssertionError("an engine was built although nothing was to be computed")


def mend(store):
    """Repair a store; return what was done."""
    opener = CountingOpener()
    done = repair(store, prepare(settings_of(store)), opener)
    assert done == opener.n_images
    return opener


def alter_attribute(**changes):
    return lambda store: edit(store / "zarr.json", lambda a: a.update(changes))


def n_rows_of(block):
    return min(BLOCK, N_IMAGES - BLOCK * block)


class TestRepair:
    @pytest.mark.parametrize("damage", [flip, delete, empty])
    @pytest.mark.parametrize("name", BLOCK_ARRAYS)
    def test_fault_27_only_the_bad_blocks_are_computed_again(self, store, name, damage):
        before = files_of(store)
        for bad in ((0,), (1, 2)):
            for block in bad:
                damage(store / chunk_of(name, block))
            found = verify(store)
            assert found.bad_blocks == bad
            for block, problem in zip(bad, found.problems, strict=True):
                assert f"block {block}" in problem
                assert name in problem
            assert mend(store).n_images == sum(map(n_rows_of, bad))
            assert files_of(store) == before
            assert verify(store).is_sound

    @pytest.mark.parametrize("damage", [flip, delete, empty])
    @pytest.mark.parametrize("name", [*WHOLE_ARRAYS, *SAMPLE_ARRAYS])
    def test_fault_27_what_the_data_set_says_is_written_again(self, store, name, damage):
        before = files_of(store)
        damage(store / chunk_of(name))
        found = verify(store)
        assert any(name in problem for problem in found.problems)
        assert mend(store).n_images == 0
        assert files_of(store) == before

    @pytest.mark.parametrize(
        ("change", "named"),
        [
            (alter_attribute(class_names=["red", "blue"]), "names"),
            (alter_attribute(group_names=[]), "names"),
            (alter_attribute(content_sha256="0" * 64), "content_sha256"),
            (alter_attribute(complete=False), "not marked so any more"),
            (alter_attribute(dataset="other"), "names"),
            (
                lambda store: edit(
                    store / "zarr.json", lambda a: a["provenance"].update(root="/elsewhere")
                ),
                "folder",
            ),
        ],
    )
    def test_fault_27_altered_attributes_are_written_again(self, store, change, named):
        before = files_of(store)
        change(store)
        found = verify(store)
        assert len(found.problems) == 1
        assert named in found.problems[0]
        assert mend(store).n_images == 0
        assert files_of(store) == before

    def test_fault_20_27_zeros_that_are_gone_are_missed_too(self, tmp_path):
        for label in ("blue", "red"):
            save_photo(tmp_path / "photos" / label / "0.jpg", seed=0)
        store = make_store(tmp_path / "photos", tmp_path / "cache")
        assert not zarr.open_group(store, mode="r")["split"][:].any()
        before = files_of(store)
        delete(store / "split/c/0")
        with pytest.raises(CacheCorruptError, match=f"{store}: split cannot be read"):
            cache.read_features(store)
        assert len(verify(store).problems) == 1
        assert mend(store).n_images == 0
        assert files_of(store) == before

    @pytest.mark.parametrize("name", ["labels", "sample/sha256"])
    def test_fault_20_27_an_unfinished_store_is_not_finished_over_what_is_gone(
        self, store, table, name
    ):
        before = files_of(store)
        StoreWriter(store, prepare(settings_of(store)).recipe).reopen(np.array([8]))
        delete(store / chunk_of(name))
        with pytest.raises(CacheCorruptError, match=f"{store}: {name} cannot be read"):
            extract(prepare(config_of(table, store.parent.parent)), CountingOpener())
        assert not cache.read_info(store).complete
        assert name in verify(store).problems[0]
        mend(store)
        assert files_of(store) == before

    def test_fault_27_everything_at_once(self, store):
        before = files_of(store)
        for name in (*WHOLE_ARRAYS, *SAMPLE_ARRAYS):
            empty(store / chunk_of(name))
        delete(store / "features/c/1/0")
        flip(store / "status/c/1")
        empty(store / "commit/c/1/0")
        assert mend(store).n_images == BLOCK
        assert files_of(store) == before

    @pytest.mark.parametrize("damage", [empty, delete])
    @pytest.mark.parametrize("array", ["", "features/", "labels/", "sample/", "sample/paths/"])
    def test_fault_27_without_a_description_all_of_it_is_made_anew(
        self, store, table, array, damage
    ):
        before = files_of(store)
        damage(store / f"{array}zarr.json")
        found = verify(store)
        assert len(found.problems) == 1
        assert str(store) in found.problems[0]
        assert "--overwrite" in found.problems[0]
        with pytest.raises(CacheCorruptError, match=f"{store}.*--overwrite"):
            mend(store)
        config = config_of(table, store.parent.parent, overwrite=True)
        extract(prepare(config), lambda job: MeanColourEngine())
        assert files_of(store) == before

    def test_fault_27_an_unfinished_store_is_sound_and_is_completed(self, store):
        before = files_of(store)
        writer = StoreWriter(store, prepare(settings_of(store)).recipe)
        writer.reopen(np.array([8]))
        found = verify(store)
        assert found.is_sound
        assert not found.complete
        assert (found.n_blocks, found.n_committed) == (N_BLOCKS, N_BLOCKS - 1)
        assert mend(store).n_images == BLOCK
        assert files_of(store) == before

    def test_fault_27_a_bad_block_of_an_unfinished_store_is_found(self, store):
        before = files_of(store)
        writer = StoreWriter(store, prepare(settings_of(store)).recipe)
        writer.reopen(np.array([8]))
        flip(store / "features/c/2/0")
        assert verify(store).bad_blocks == (2,)
        assert mend(store).n_images == BLOCK + n_rows_of(2)
        assert files_of(store) == before

    def test_fault_25_an_unfinished_store_is_not_finished_over_altered_labels(self, store, table):
        before = files_of(store)
        StoreWriter(store, prepare(settings_of(store)).recipe).reopen(np.array([8]))
        labels = zarr.open_group(store, mode="r+")["labels"]
        labels[:] = 1 - labels[:]
        with pytest.raises(CacheCorruptError, match=f"{store}: labels, split.*--repair"):
            extract(prepare(config_of(table, store.parent.parent)), CountingOpener())
        assert not cache.read_info(store).complete
        mend(store)
        assert files_of(store) == before

    @pytest.mark.parametrize("name", ["status", "oddities"])
    def test_fault_27_a_bad_state_of_a_block_that_is_not_committed_is_mended(self, store, name):
        before = files_of(store)
        StoreWriter(store, prepare(settings_of(store)).recipe).reopen(np.array([8]))
        flip(store / f"{name}/c/1")
        assert mend(store).n_images == BLOCK
        assert files_of(store) == before

    def test_fault_27_a_data_set_that_changed_since_is_refused(self, tmp_path):
        table = make_photos(tmp_path / "photos")
        store = make_store(table, tmp_path / "cache")
        flip(store / "features/c/1/0")
        before = files_of(store)
        save_photo(tmp_path / "photos" / "07.jpg", seed=777)
        with pytest.raises(CacheMismatchError, match=rf"{store} cannot be repaired.*changed since"):
            repair(store, prepare(settings_of(store)), no_engine)
        assert files_of(store) == before
        (tmp_path / "photos" / "07.jpg").unlink()
        with pytest.raises(CacheMismatchError, match=rf"{store} cannot be repaired.*Run extract"):
            repair(store, prepare(settings_of(store)), no_engine)
        assert files_of(store) == before
        assert not verify(store).is_sound


def run_with_fake(*words, cwd):
    """Run a command in a process of its own, with an engine that needs no seconds to load."""
    code = (
        "from pipeline import cli; from tests.conftest import MeanColourEngine\n"
        "cli.steps.open_engine = lambda job: MeanColourEngine(); cli.main()"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    for k, (name, tint) in enumerate(TINTS.items()):
        for i in range(4):
            save_photo(folder / "photos" / name / f"{i}.jpg", seed=10 * k + i, tint=tint)
    done = run_with_fake("extract", "--dataset", "photos", *SMALL, cwd=folder)
    assert done.returncode == 0, done.stderr
    (store,) = (folder / "cache" / "photos").glob("*.zarr")
    shutil.copytree(store, folder / "cache" / "other" / store.name)
    return folder


class TestCommand:
    """`pipeline cache verify` as a user meets it."""

    def test_fault_27_damage_is_found_and_mended(self, folder):
        store, other = sorted((folder / "cache").glob("*/*.zarr"), reverse=True)
        before = files_of(store)
        flip(store / "features/c/0/0")
        found = run("cache", "verify", "--json", cwd=folder)
        assert found.returncode == 1
        assert {entry["store"]: entry["bad_blocks"] for entry in json.loads(found.stdout)} == {
            str(path.relative_to(folder)): bad for path, bad in ((other, []), (store, [0]))
        }
        cache.mark_used(store)
        refused = run("fit", cwd=folder)
        assert refused.returncode == 1
        assert "Traceback" not in refused.stderr
        assert "--overwrite" in refused.stderr
        mended = run_with_fake("cache", "verify", "--repair", cwd=folder)
        assert mended.returncode == 0, mended.stderr
        assert "12 rows were computed again" in mended.stderr
        assert files_of(store) == before

    def test_fault_26_27_what_cannot_be_repaired_is_refused(self, folder):
        store = next((folder / "cache" / "photos").glob("*.zarr"))
        with restored(store / "zarr.json"):
            empty(store / "zarr.json")
            done = run("cache", "verify", "--repair", cwd=folder)
            assert done.returncode == 1
            assert "Traceback" not in done.stderr
            assert "--overwrite" in done.stderr.replace("\n", " ")
