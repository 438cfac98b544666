"""Photos copied into folders that are called like their answers: none lost, none written over."""

import errno
import os

import numpy as np
import pytest

from pipeline import durable
from pipeline.errors import DatasetError
from pipeline.predicting.answering import Answered
from pipeline.records import Answer
from pipeline.stages import sort_photos
from pipeline.stages.sort_photos import Sorter
from tests.faults.harness import files_of

CLASSES = ("cat", "../dog", "unknown")


def part(*answers):
    return Answered(
        start=0, answers=answers, values=np.zeros((len(answers), 1)), order=np.zeros((0, 3), int)
    )


def answer(path, name="cat", **fields):
    return Answer(path=str(path), classes=(name,), probabilities=(1.0,), **fields)


def sort(to, *answers):
    sorter = Sorter(to, CLASSES)
    sorter.take(part(*answers))
    return sorter


def names(to):
    return sorted(str(path.relative_to(to)) for path in to.rglob("*") if path.is_file())


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "in" / "a.jpg"
    path.parent.mkdir()
    path.write_bytes(b"photo")
    return path


@pytest.fixture
def to(tmp_path):
    return tmp_path / "out"


def test_each_lies_in_the_folder_of_its_class(photo, to):
    os.utime(photo, (1_000_000, 1_000_000))
    sorter = sort(to, answer(photo), answer(photo, "cat", is_unknown=True))
    assert names(to) == ["cat/a.jpg", "unknown/a.jpg"]
    assert (to / "cat" / "a.jpg").read_bytes() == photo.read_bytes() == b"photo"
    assert (to / "cat" / "a.jpg").stat().st_mtime == 1_000_000
    assert (sorter.n_copied, sorter.n_there, sorter.n_left) == (2, 0, 0)


def test_hostile_names_lead_nowhere_else(photo, to):
    sorter = sort(to, answer(photo, "../dog"), answer(photo, "unknown"))
    # A class that is called "unknown" is not what nobody knows.
    assert names(to) == ["_dog/a.jpg", "unknown-2/a.jpg"]
    assert sorter.renamed == {"../dog": "_dog", "unknown": "unknown-2"}
    assert sort(to, answer(photo)).renamed == {}
    assert sorted(path.name for path in to.parent.iterdir()) == ["in", "out"]


def test_nothing_is_written_over(photo, to):
    other = photo.with_name("more") / "a.jpg"
    other.parent.mkdir()
    other.write_bytes(b"other")
    (to / "cat").mkdir(parents=True)
    (to / "cat" / "a.jpg").write_bytes(b"mine")
    sort(to, answer(photo), answer(other))
    assert (to / "cat" / "a.jpg").read_bytes() == b"mine"
    assert (to / "cat" / "a-2.jpg").read_bytes() == b"photo"
    assert (to / "cat" / "a-3.jpg").read_bytes() == b"other"


def test_the_same_command_again_copies_nothing_again(photo, to):
    sort(to, answer(photo))
    before = files_of(to)
    sorter = sort(to, answer(photo))
    assert (sorter.n_copied, sorter.n_there) == (0, 1)
    assert files_of(to) == before


def test_photos_are_alike_by_content_not_by_size_and_time(photo, to):
    (to / "cat").mkdir(parents=True)
    (to / "cat" / "a.jpg").write_bytes(b"other")
    for path in (photo, to / "cat" / "a.jpg"):
        os.utime(path, (1_000_000, 1_000_000))
    assert sort(to, answer(photo)).n_copied == 1


def test_a_link_that_leads_nowhere_is_not_followed(photo, to):
    (to / "cat").mkdir(parents=True)
    (to / "cat" / "a.jpg").symlink_to(to.parent / "elsewhere.jpg")
    sort(to, answer(photo))
    assert not (to.parent / "elsewhere.jpg").exists()
    assert (to / "cat" / "a-2.jpg").read_bytes() == b"photo"


def test_what_could_not_be_read_is_counted_and_not_copied(photo, to):
    sorter = sort(to, Answer(path=str(photo), reason="zero bytes"))
    assert sorter.n_left == 1
    assert not to.exists()


@pytest.mark.parametrize("action", ["write", "rename"])
def test_a_kill_leaves_no_half_photo_under_any_name(photo, to, monkeypatch, action):
    class Killed(BaseException):
        pass

    def step(found, path):
        if found == action and path.name == "a.jpg":
            raise Killed

    monkeypatch.setattr(durable, "step", step)
    monkeypatch.setattr(sort_photos, "step", step)
    with pytest.raises(Killed):
        sort(to, answer(photo))
    assert names(to) == []
    monkeypatch.undo()
    assert sort(to, answer(photo)).n_copied == 1


def test_half_a_copy_lies_under_a_hidden_name(photo, to, monkeypatch):
    def copy(source, target):
        target.write_bytes(b"ha")
        assert target.name.startswith(".")
        assert target.name.endswith(".partial")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sort_photos.shutil, "copy2", copy)
    with pytest.raises(DatasetError, match="No space left"):
        sort(to, answer(photo))
    assert names(to) == []


@pytest.mark.parametrize("is_taken", [False, True])
def test_file_systems_without_hard_links_do(photo, to, monkeypatch, is_taken):
    def link(source, target):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(sort_photos.os, "link", link)
    if is_taken:
        (to / "cat").mkdir(parents=True)
        (to / "cat" / "a.jpg").write_bytes(b"mine")
    sort(to, answer(photo))
    name = "a-2.jpg" if is_taken else "a.jpg"
    assert (to / "cat" / name).read_bytes() == b"photo"
    assert len(names(to)) == 1 + is_taken


@pytest.mark.parametrize("has_links", [True, False])
def test_a_name_that_is_taken_meanwhile_is_left(photo, to, monkeypatch, has_links):
    real = os.link

    def link(source, target):
        if target.name == "a.jpg":
            target.write_bytes(b"theirs")
        if not has_links:
            raise OSError(errno.EPERM, "Operation not permitted")
        real(source, target)

    monkeypatch.setattr(sort_photos.os, "link", link)
    sort(to, answer(photo))
    assert (to / "cat" / "a.jpg").read_bytes() == b"theirs"
    assert (to / "cat" / "a-2.jpg").read_bytes() == b"photo"


def test_half_copies_of_a_killed_command_are_removed_once_they_are_old(photo, to, monkeypatch):
    half = to / "cat" / ".photo.0123abcd.partial"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"ph")
    (to / "cat" / ".photo.partial").write_bytes(b"not ours")
    sort(to, answer(photo))
    assert half.exists()  # of a command that may be running
    monkeypatch.setattr(sort_photos, "SECONDS_UNTIL_LEFT", -1)
    sort(to, answer(photo))
    assert names(to) == ["cat/.photo.partial", "cat/a.jpg"]
