"""Demands 36 to 41: images that are not what they say, and data sets that are not what is wanted.

42 is in tests/test_download.py, 43 in tests/datasets/test_archives.py.
"""

import csv
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import zarr

from pipeline import cache
from pipeline.config import ExtractConfig, FitConfig
from pipeline.errors import ClassifierError, EmptyDatasetError
from pipeline.extraction.preparing import prepare
from pipeline.records import Oddity, Status
from pipeline.stages.extract import extract
from pipeline.stages.fit import fit
from tests.conftest import REPOSITORY, MeanColourEngine, save_photo
from tests.faults.pictures import PICTURES, Picture, png, png_bomb

# In a run of the program Pillow's warnings are off; pytest turns all warnings into errors.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")


class QuadrantEngine(MeanColourEngine):
    """Mean colour of each quadrant, 0-1: which way is up can be seen, too."""

    width = 12

    def infer_many(self, batches):
        for (images,) in batches:
            half = images.shape[1] // 2
            halves = (slice(None, half), slice(half, None))
            parts = [images[:, y, x] for y in halves for x in halves]
            yield np.concatenate(
                [part.mean(axis=(1, 2), dtype=np.float64) / 255 for part in parts], axis=1
            ).astype(np.float32)


def config_for(root: Path, cache_dir: Path, **changes) -> ExtractConfig:
    return ExtractConfig(
        dataset=str(root),
        **{"image_size": 32, "weights": "random", "cache_dir": cache_dir, "workers": 3, **changes},
    )


def run(root: Path, cache_dir: Path, **changes):
    return extract(prepare(config_for(root, cache_dir, **changes)), lambda job: MeanColourEngine())


def read_skipped(extraction) -> dict[str, str]:
    with extraction.skipped_csv.open(
        encoding="utf-8", errors="surrogateescape", newline=""
    ) as file:
        return {row["path"]: row["reason"] for row in csv.DictReader(file)}


def assert_counts_add_up(extraction) -> None:
    assert extraction.n_found == extraction.n_cached + sum(extraction.skipped.values())


@pytest.fixture(scope="module")
def outcome(tmp_path_factory) -> SimpleNamespace:
    """One extraction of every odd picture there is, among what must be ignored."""
    folder = tmp_path_factory.mktemp("input")
    root = folder / "set"
    for i in range(3):
        save_photo(root / "plain" / f"{i}.jpg", seed=i)
    (root / "odd").mkdir()
    for picture in PICTURES:
        (root / "odd" / picture.name).write_bytes(picture.data)
    for name in ("Thumbs.db", ".DS_Store", "._x.jpg", ".ipynb_checkpoints/x.jpg"):
        save_photo(root / "plain" / name, seed=9)
    secret = save_photo(folder / "secret.jpg", seed=9)
    (root / "plain" / "outside.jpg").symlink_to(secret)
    (root / "plain" / "loop").symlink_to(root, target_is_directory=True)
    job = prepare(config_for(root, folder / "cache"))
    extraction = extract(job, lambda job: QuadrantEngine())
    table, states = cache.read_features(extraction.store), cache.read_states(extraction.store)
    return SimpleNamespace(
        job=job,
        extraction=extraction,
        values=dict(zip(table.paths, table.features, strict=True)),
        skipped=read_skipped(extraction),
        status=dict(zip(job.manifest.paths, states.status, strict=True)),
        oddities=dict(zip(job.manifest.paths, states.oddities, strict=True)),
    )


def by_name(pictures):
    return pytest.mark.parametrize("picture", pictures, ids=lambda picture: picture.name)


class TestEveryRow:
    @by_name([picture for picture in PICTURES if picture.status != Status.OK])
    def test_fault_36_what_is_no_whole_image_is_skipped(self, outcome, picture: Picture):
        path = f"odd/{picture.name}"
        assert Status(outcome.status[path]) == picture.status
        assert outcome.skipped[path] == picture.status.reason
        assert path not in outcome.values
        assert outcome.oddities[path] == 0

    @by_name([picture for picture in PICTURES if picture.status == Status.OK])
    def test_fault_36_an_odd_image_is_decoded_and_counted(self, outcome, picture: Picture):
        path = f"odd/{picture.name}"
        expected = np.array(picture.colours * (4 // len(picture.colours)))
        values = outcome.values[path].reshape(4, 3) * 255
        assert np.abs(values - expected).max() <= 4, values.round()
        assert Oddity(int(outcome.oddities[path])) == picture.oddities
        assert path not in outcome.skipped

    def test_fault_36_the_counts_add_up(self, outcome):
        extraction = outcome.extraction
        assert_counts_add_up(extraction)
        assert extraction.n_found == len(PICTURES) + 3
        assert sum(extraction.skipped.values()) == len(outcome.skipped)
        expected = Counter(flag.words for picture in PICTURES for flag in picture.oddities)
        assert extraction.oddities == expected
        assert set(expected) == {kind.words for kind in Oddity}

    def test_fault_36_what_is_no_row_holds_no_number(self, outcome):
        features = zarr.open_group(outcome.extraction.store, mode="r")["features"][:]
        bad = np.array([status != Status.OK for status in outcome.status.values()])
        assert np.isnan(features[bad]).all()
        assert np.isfinite(features[~bad]).all()

    def test_fault_36_files_of_the_system_and_links_are_ignored_and_counted(self, outcome):
        assert outcome.extraction.ignored == {
            "hidden": 3,
            "left by the operating system": 1,
            "link loop": 1,
            "link out of the data set": 1,
        }
        assert sum(path.startswith("plain/") for path in outcome.status) == 3


class TestChanged:
    def alter(self, folder: Path) -> dict[str, str]:
        """Change listed files in every way; return the reason that each must be skipped for."""
        changed = Status.CHANGED.reason
        (folder / "00.jpg").unlink()
        before = (folder / "01.jpg").stat()
        save_photo(folder / "01.jpg", seed=99)
        with (folder / "01.jpg").open("r+b") as file:
            file.truncate(before.st_size)
        os.utime(folder / "01.jpg", ns=(before.st_atime_ns, before.st_mtime_ns))
        with (folder / "02.jpg").open("ab") as file:
            file.truncate(1 << 36)  # sparse, and more than there is memory for
        (folder / "03.jpg").write_bytes(b"")
        (folder / "04.jpg").rename(folder / "05.jpg")
        (folder / "06.jpg").unlink()
        os.mkfifo(folder / "06.jpg")
        (folder / "07.jpg").unlink()
        (folder / "07.jpg").mkdir()
        reasons = dict.fromkeys(("00", "01", "02", "03", "04", "05"), changed)
        return reasons | dict.fromkeys(("06", "07"), Status.UNREADABLE.reason)

    def test_fault_41_a_file_changed_or_gone_since_it_was_listed(self, photos, tmp_path, engine):
        job = prepare(config_for(photos, tmp_path / "cache"))
        expected = self.alter(photos / "red")
        extraction = extract(job, lambda job: engine)
        assert read_skipped(extraction) == {f"red/{k}.jpg": v for k, v in expected.items()}
        assert_counts_add_up(extraction)
        assert extraction.n_cached == 36 - len(expected)

    def test_fault_36_changed_files_are_skipped_and_the_next_run_sees_them_as_they_are(
        self, photos, tmp_path, engine
    ):
        job = prepare(config_for(photos, tmp_path / "cache"))
        save_photo(photos / "red" / "00.jpg", seed=99, tint=(0, 0, 180))
        assert extract(job, lambda job: engine).skipped == {Status.CHANGED.reason: 1}
        extraction = run(photos, tmp_path / "cache")
        assert extraction.skipped == {}
        table = cache.read_features(extraction.store)
        edited = table.features[table.paths.index("red/00.jpg")]
        assert edited.argmax() == 2  # blue now


class TestAllBad:
    def test_fault_37_all_images_bad(self, tmp_path):
        bad = [picture for picture in PICTURES if picture.status != Status.OK]
        for i, picture in enumerate(bad):
            path = tmp_path / "set" / "ab"[i % 2] / picture.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(picture.data)
        with pytest.raises(EmptyDatasetError) as caught:
            run(tmp_path / "set", tmp_path / "cache")
        message = str(caught.value)
        assert f"None of the {len(bad)} files in {tmp_path / 'set'} is a usable image" in message
        for reason, n in Counter(picture.status.reason for picture in bad).items():
            assert f"{n} {reason}" in message
        listed = next((tmp_path / "cache").rglob("*.skipped.csv"))
        assert str(listed) in message
        assert len(listed.read_text().splitlines()) == len(bad) + 1


class TestClasses:
    """What a data set that is not fit for training comes to, through extract and fit."""

    def make(self, tmp_path: Path, **counts: int) -> Path:
        for k, (name, n) in enumerate(counts.items()):
            (tmp_path / "set" / name).mkdir(parents=True)
            for i in range(n):
                tint = (60 * k, 180 - 60 * k, 0)
                save_photo(tmp_path / "set" / name / f"{i}.jpg", seed=50 * k + i, tint=tint)
        return tmp_path / "set"

    def test_fault_38_an_empty_folder(self, tmp_path):
        (tmp_path / "set").mkdir()
        with pytest.raises(EmptyDatasetError, match=r"No image in .*set\. Found there: nothing"):
            run(tmp_path / "set", tmp_path / "cache")
        assert not (tmp_path / "cache").exists()

    def test_fault_38_only_empty_classes(self, tmp_path):
        root = self.make(tmp_path, cat=0, dog=0)
        with pytest.raises(EmptyDatasetError, match="Found there: 2 empty folder"):
            run(root, tmp_path / "cache")

    def test_fault_38_one_class_can_be_extracted_but_not_fitted(self, tmp_path):
        extraction = run(self.make(tmp_path, cat=8), tmp_path / "cache")
        assert extraction.n_cached == 8
        with pytest.raises(ClassifierError, match=r"at least 2 classes.* of 1: 'cat'"):
            fit(extraction.store, FitConfig())

    def test_fault_38_an_empty_class_is_none(self, tmp_path):
        extraction = run(self.make(tmp_path, cat=8, dog=8, empty=0), tmp_path / "cache")
        assert extraction.ignored == {"empty folder": 1}
        assert fit(extraction.store, FitConfig()).report.class_names == ("cat", "dog")

    def test_fault_38_a_class_without_one_good_image_is_shown_as_empty(self, tmp_path):
        root = self.make(tmp_path, cat=8, dog=8)
        (root / "bad").mkdir()
        (root / "bad" / "1.jpg").write_bytes(b"")
        extraction = run(root, tmp_path / "cache")
        report = fit(extraction.store, FitConfig()).report
        assert report.class_names == ("bad", "cat", "dog")
        bad = report.per_class[0]
        assert (bad["n_train"], bad["n_test"], bad["recall"]) == (0, 0, None)
        assert any("bad" in note for note in report.notes), report.notes

    def test_fault_38_a_class_of_one(self, tmp_path):
        extraction = run(self.make(tmp_path, cat=8, dog=8, one=1), tmp_path / "cache")
        report = fit(extraction.store, FitConfig()).report
        one = report.per_class[2]
        assert (one["n_train"], one["n_test"]) == (1, 0)
        assert any("one" in note for note in report.notes), report.notes

    def test_fault_38_two_classes_of_one(self, tmp_path):
        extraction = run(self.make(tmp_path, cat=1, dog=1), tmp_path / "cache")
        with pytest.raises(ClassifierError, match="can be set aside for testing: 2 usable images"):
            fit(extraction.store, FitConfig())


EXTRACT_IN_LITTLE_MEMORY = """
import json, resource, sys
from pathlib import Path
from tests.conftest import MeanColourEngine
from tests.faults.test_input import config_for
from pipeline.extraction.preparing import prepare
from pipeline.stages.extract import extract
root, cache_dir, megabytes, workers = sys.argv[1:]
job = prepare(config_for(Path(root), Path(cache_dir), workers=int(workers)))
in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
limit = in_use + int(megabytes) * 10**6
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
extraction = extract(job, lambda job: MeanColourEngine())
print(json.dumps([extraction.n_found, extraction.n_cached, extraction.skipped]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and RLIMIT_AS")
class TestBomb:
    @pytest.fixture
    def bombs(self, tmp_path) -> Path:
        """Four images of 99 megapixels, 400 MB each when decoded, and one of 2.5 gigapixels."""
        row = b"\0" + b"\xff\0\0" * 9_900
        large = png(9_900, 10_000, bits=8, colour=2, rows=row * 10_000)
        root = tmp_path / "set"
        for i in range(4):
            save_photo(root / "small" / f"{i}.jpg", seed=i)
        (root / "large").mkdir()
        for i in range(4):
            (root / "large" / f"{i}.png").write_bytes(large)
        (root / "large" / "bomb.png").write_bytes(png_bomb(50_000, 50_000))
        assert all(path.stat().st_size < 500_000 for path in root.rglob("*.png"))
        return root

    def extract_with(self, root: Path, *, megabytes: int, workers: int):
        done = subprocess.run(
            [
                *(sys.executable, "-c", EXTRACT_IN_LITTLE_MEMORY),
                *(str(root), str(root.parent / "cache"), str(megabytes), str(workers)),
            ],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def test_fault_39_large_images_take_turns_in_little_memory(self, bombs):
        # Four at a time would take 1.6 GB.
        found, cached, skipped = self.extract_with(bombs, megabytes=1_000, workers=4)
        assert skipped == {Status.TOO_LARGE.reason: 1}
        assert (found, cached) == (9, 8)

    def test_fault_39_what_does_not_fit_is_skipped_and_the_run_goes_on(self, bombs):
        found, cached, skipped = self.extract_with(bombs, megabytes=300, workers=1)
        assert skipped == {Status.TOO_LARGE.reason: 1, Status.UNREADABLE.reason: 4}
        assert (found, cached) == (9, 4)


HOSTILE = (
    "plain",
    os.fsdecode(b"caf\xe9"),
    "line\nbreak",
    "carriage\rreturn",
    "comma,and;semicolon",
    "quote\"and'apostrophe",
    '=HYPERLINK("x")',
    "+1",
    "-1",
    "@SUM(A1)",
    "\tTab",
    "[red]markup",
    "<script>alert(1)",
    "\x1b[31mcolour\x07",
    "\u202etxt.gpj",
    "emoji \U0001f408",
    "back\\slash",
    " space at both ends ",
    "%s {0} $HOME `id`",
    "a" * 200,
)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> SimpleNamespace:
    """Images of two classes with such names, good ones and bad ones, extracted."""
    folder = tmp_path_factory.mktemp("hostile")
    classes = ("=cmd|' calc'!A0", os.fsdecode(b'\xff<b>\n,"'))
    for k, label in enumerate(classes):
        for i, name in enumerate(HOSTILE):
            photo = folder / "set" / label / f"{name}.jpg"
            save_photo(photo, seed=100 * k + i, tint=(180 * k, 0, 90))
            photo.with_name(f"{name}.bad.jpg").write_bytes(b"no image")
    extraction = run(folder / "set", folder / "cache")
    return SimpleNamespace(folder=folder, classes=classes, extraction=extraction)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file system that takes any bytes")
class TestHostileNames:
    def paths(self, hostile, ending: str) -> set[str]:
        return {f"{label}/{name}{ending}" for label in hostile.classes for name in HOSTILE}

    def command(self, hostile, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", *words],
            cwd=hostile.folder,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "100"},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode("utf-8")  # strictly

    def test_fault_40_names_in_the_store(self, hostile):
        table = cache.read_features(hostile.extraction.store)
        assert set(table.paths) == self.paths(hostile, ".jpg")
        assert set(table.class_names) == set(hostile.classes)
        for path, label in zip(table.paths, table.labels, strict=True):
            assert path.startswith(table.class_names[label] + "/")

    def test_fault_40_names_in_the_list_of_skipped_images(self, hostile):
        listed = read_skipped(hostile.extraction)
        assert not any(path[0] in "=+-@\t\r" for path in listed)
        assert {path.removeprefix("./") for path in listed} == self.paths(hostile, ".bad.jpg")
        assert_counts_add_up(hostile.extraction)

    def test_fault_40_names_on_the_screen_and_in_the_reports(self, hostile):
        fitted = json.loads(self.command(hostile, "fit", "--json"))
        assert len(fitted["class_names"]) == 2
        printed = self.command(hostile, "report")
        assert "\x1b" not in printed
        assert "\x07" not in printed
        assert "\u202e" not in printed
        with (Path(hostile.folder / fitted["folder"]) / "predictions.csv").open(
            encoding="utf-8", errors="surrogateescape", newline=""
        ) as file:
            rows = list(csv.DictReader(file))
        assert {row["path"].removeprefix("./") for row in rows} <= self.paths(hostile, ".jpg")
        assert not any(cell[:1] in "=+@" for row in rows for cell in (row["path"], row["label"]))

    def test_fault_36_names_that_are_no_text_cost_no_image(self, hostile):
        assert hostile.extraction.n_cached == len(HOSTILE) * 2
        assert hostile.extraction.skipped == {Status.NOT_AN_IMAGE.reason: len(HOSTILE) * 2}
