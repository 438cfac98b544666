import gzip
import hashlib
import io
import multiprocessing
import struct
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.datasets import is_present, load_manifest, obtain
from pipeline.datasets.catalog import DatasetSpec, RemoteFile
from pipeline.errors import DatasetError, DownloadError
from pipeline.records import Split
from pipeline.stages import fetch as fetch_module
from pipeline.stages.fetch import fetch, fetch_spec

URL = "https://data.invalid/"


def make_spec(kind: str, files: dict[str, bytes], **fields) -> DatasetSpec:
    remote = tuple(
        RemoteFile(url=URL + name, size=len(data), sha256=hashlib.sha256(data).hexdigest())
        for name, data in files.items()
    )
    settings = {"name": "toy", "about": "", "n_images": 2, "class_names": ("cat", "dog")}
    return DatasetSpec(kind=kind, files=remote, **{**settings, **fields})


def make_zip(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


PETS = make_zip(**{"PetImages/Cat/0.jpg": b"c", "PetImages/Dog/0.jpg": b"d", "readme.txt": b""})


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def web(monkeypatch) -> dict[str, bytes]:
    """What the web holds, by address; `download` itself is tested on its own."""
    pages: dict[str, bytes] = {}

    def download(url: str, target: Path, *, advice: str, on_progress, **expected) -> str:
        if url not in pages:
            raise DownloadError(f"Cannot download {url}: offline.\n{advice}")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(pages[url])
        on_progress(len(pages[url]), len(pages[url]))
        found = hashlib.sha256(pages[url]).hexdigest()
        if expected["digest"] not in (None, found):
            raise DownloadError(f"expected SHA-256 {expected['digest']}, got {found}")
        return found

    monkeypatch.setattr(obtain, "download", download)
    return pages


def put(folder: Path, **files: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def files_below(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_digits_need_no_download(data_dir):
    calls = []
    folder = fetch("digits", data_dir, lambda *now: calls.append(now))
    assert folder == data_dir / "digits"
    assert calls[-1] == ("write", 1797, 1797)
    manifest = load_manifest("digits", data_dir=data_dir)
    assert len(manifest) == 1797
    assert manifest.class_names == tuple("0123456789")
    assert set(manifest.split.tolist()) == {Split.NONE}
    assert manifest.ignored == {}
    with Image.open(folder / "0" / "0001.png") as image:
        assert (image.size, image.mode) == ((16, 16), "L")
        # The corner of scikit-learn's first digit, inside the margin: 0 0 5 13 of 16 inked.
        assert np.asarray(image)[4, 4:8].tolist() == [255, 255, 175, 48]


def test_what_is_there_is_not_fetched_again(data_dir, web):
    put(data_dir / "mnist" / "train" / "0", **{"1.png": b"x"})
    assert fetch("mnist", data_dir) == data_dir / "mnist"
    assert files_below(data_dir / "mnist") == ["train/0/1.png"]


def test_an_unknown_name(data_dir):
    with pytest.raises(
        DatasetError, match=r"no data set 'imagenet' to fetch\. Known names: digits"
    ):
        fetch("imagenet", data_dir)


def test_an_archive_is_downloaded_unpacked_and_removed(data_dir, web):
    web[URL + "pets.zip"] = PETS
    calls = []
    spec = make_spec("images", {"pets.zip": PETS})
    folder = fetch_spec(spec, data_dir, lambda *now: calls.append(now))
    assert files_below(folder) == ["PetImages/Cat/0.jpg", "PetImages/Dog/0.jpg", "readme.txt"]
    assert {what for what, _, _ in calls} == {"download", "unpack"}
    assert visible(data_dir) == ["toy"]
    assert not list(data_dir.rglob("pets.zip"))
    assert is_present("toy", data_dir)


@pytest.mark.parametrize("where", ["", "toy"])
def test_an_archive_put_there_by_hand_is_taken_and_kept(data_dir, web, where):
    put(data_dir / where, **{"pets.zip": PETS})
    fetch_spec(make_spec("images", {"pets.zip": PETS}), data_dir)
    assert (data_dir / where / "pets.zip").read_bytes() == PETS
    manifest = load_manifest("toy", data_dir=data_dir)
    assert manifest.paths == ("Cat/0.jpg", "Dog/0.jpg")


def test_a_damaged_archive_put_there_by_hand_is_named(data_dir, web):
    put(data_dir / "toy", **{"pets.zip": PETS[:-1]})
    message = r"toy/pets\.zip is not the file that was expected: SHA-256 \w+, got \w+\."
    with pytest.raises(DownloadError, match=message):
        fetch_spec(make_spec("images", {"pets.zip": PETS}), data_dir)
    assert visible(data_dir / "toy") == ["pets.zip"]


def test_a_file_of_the_same_name_for_another_data_set_is_not_taken(data_dir, web):
    web[URL + "pets.zip"] = PETS
    put(data_dir, **{"pets.zip": b"of another data set"})
    fetch_spec(make_spec("images", {"pets.zip": PETS}), data_dir)
    assert is_present("toy", data_dir)


def test_kaggles_archive_in_the_archive(data_dir, web):
    train = make_zip(**{"train/cat.0.jpg": b"c", "train/dog.0.jpg": b"d"})
    kaggle = make_zip(**{"train.zip": train, "test1.zip": b"-", "sampleSubmission.csv": b""})
    put(data_dir / "toy", **{"kaggle.zip": kaggle})
    fetch_spec(make_spec("images", {"pets.zip": PETS}, by_hand=("kaggle.zip",)), data_dir)
    manifest = load_manifest("toy", data_dir=data_dir)
    assert manifest.paths == ("cat.0.jpg", "dog.0.jpg")
    assert not list(data_dir.rglob("t*.zip"))


def test_offline_says_what_to_do(data_dir, web):
    message = (
        r"By hand: download\n  https://data\.invalid/pets\.zip \(\d+ bytes\)\nput it into .*toy/ "
        r"without unpacking, .*--dataset digits"
    )
    with pytest.raises(DownloadError, match=message):
        fetch_spec(make_spec("images", {"pets.zip": PETS}), data_dir)
    assert visible(data_dir) == []


def test_an_archive_without_images_leaves_nothing(data_dir, web):
    web[URL + "a.zip"] = make_zip(**{"readme.txt": b""})
    with pytest.raises(DatasetError, match="holds no image"):
        fetch_spec(make_spec("images", {"a.zip": web[URL + "a.zip"]}), data_dir)
    assert visible(data_dir) == []


def test_without_a_published_hash_the_first_one_seen_counts(data_dir, web):
    web[URL + "pets.zip"] = PETS
    spec = make_spec("images", {"pets.zip": PETS})
    spec = replace(spec, files=(replace(spec.files[0], sha256=None),))
    folder = fetch_spec(spec, data_dir)
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    web[URL + "pets.zip"] = PETS + b" changed"
    with pytest.raises(DownloadError, match=hashlib.sha256(PETS).hexdigest()):
        fetch_spec(spec, data_dir)


def make_cifar(labels: list[tuple[int, ...]]) -> bytes:
    rows = [bytes(label) + bytes([i]) * 3072 for i, label in enumerate(labels)]
    return b"".join(rows)


def make_tar(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def make_cifar10() -> tuple[DatasetSpec, bytes]:
    batches = {f"bin/data_batch_{i}.bin": make_cifar([(i,), (i,)]) for i in range(1, 6)}
    data = make_tar(**batches, **{"bin/test_batch.bin": make_cifar([(0,)])})
    class_names = tuple(f"class{i}" for i in range(10))
    return make_spec("cifar", {"c.tgz": data}, n_images=11, class_names=class_names), data


def test_cifar_becomes_folders_with_its_split(data_dir, web):
    spec, data = make_cifar10()
    web[URL + "c.tgz"] = data
    folder = fetch_spec(spec, data_dir)
    assert files_below(folder)[:3] == [
        "test/class0/1.png",
        "train/class1/01.png",
        "train/class1/02.png",
    ]
    manifest = load_manifest("toy", data_dir=data_dir)
    assert np.bincount(manifest.split).tolist() == [0, 10, 0, 1]
    assert not list(data_dir.rglob("*.bin"))
    with Image.open(folder / "train" / "class1" / "02.png") as image:
        assert (image.size, image.mode, image.getpixel((5, 5))) == ((32, 32), "RGB", (1, 1, 1))


def test_another_number_of_images_is_refused(data_dir, web):
    spec, data = make_cifar10()
    web[URL + "c.tgz"] = data
    with pytest.raises(DatasetError, match=r"toy hold 11 images\. Expected 60,000"):
        fetch_spec(replace(spec, n_images=60_000), data_dir)
    assert visible(data_dir) == []


def make_mnist(n_labels: int = 3) -> dict[str, bytes]:
    def idx(array: np.ndarray) -> bytes:
        head = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
        return gzip.compress(head + array.astype(np.uint8).tobytes())

    return {
        "train-images-idx3-ubyte.gz": idx(np.arange(3 * 4).reshape(3, 2, 2)),
        "train-labels-idx1-ubyte.gz": idx(np.arange(n_labels) % 2),
        "t10k-images-idx3-ubyte.gz": idx(np.zeros((1, 2, 2))),
        "t10k-labels-idx1-ubyte.gz": idx(np.ones(1)),
    }


def test_mnist_becomes_folders_with_its_split(data_dir, web):
    files = make_mnist()
    web.update({URL + name: data for name, data in files.items()})
    folder = fetch_spec(make_spec("idx", files, n_images=4), data_dir)
    assert files_below(folder) == [
        "test/dog/1.png",
        "train/cat/1.png",
        "train/cat/3.png",
        "train/dog/2.png",
    ]
    with Image.open(folder / "train" / "dog" / "2.png") as image:
        assert np.asarray(image).tolist() == [[4, 5], [6, 7]]


def test_mnist_with_too_few_labels_is_refused(data_dir, web):
    files = make_mnist(n_labels=2)
    put(data_dir / "toy", **files)
    with pytest.raises(DatasetError, match=r"has 3 images but .* 2 labels"):
        fetch_spec(make_spec("idx", files, n_images=4), data_dir)


def test_a_kill_while_writing_leaves_nothing_and_the_next_run_mends_it(data_dir, web, monkeypatch):
    spec, data = make_cifar10()
    web[URL + "c.tgz"] = data
    encode, calls = fetch_module.encode_png, []

    def killed(image: np.ndarray) -> bytes:
        calls.append(image)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return encode(image)

    monkeypatch.setattr(fetch_module, "encode_png", killed)
    with pytest.raises(KeyboardInterrupt):
        fetch_spec(spec, data_dir)
    assert visible(data_dir) == []
    # What kill -9 would have left, which no `finally` cleans up:
    put(data_dir / ".toy.partial" / "train" / "class1", **{"01.png": b"half"})
    fetch_spec(spec, data_dir)
    assert len(load_manifest("toy", data_dir=data_dir)) == 11
    assert [p.name for p in data_dir.iterdir() if p.name.endswith(".partial")] == []


def test_a_data_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "data").write_bytes(b"a file")
    with pytest.raises(DatasetError, match=r"Cannot write the data set digits into .*--data-dir"):
        fetch("digits", tmp_path / "data")


def fetch_digits(data_dir: Path) -> None:
    fetch("digits", data_dir)


def test_two_at_once_make_one_data_set(data_dir):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=fetch_digits, args=(data_dir,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert len(load_manifest("digits", data_dir=data_dir)) == 1797
