import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.records import AnsweredRows
from pipeline.showing import pictures as module
from pipeline.showing.evidence import read_evidence
from pipeline.showing.pictures import (
    choose_rows,
    choose_samples,
    find_least_certain,
    read_pictures,
)


def read(evidence, **changes):
    rows = np.arange(len(evidence.rows))
    return read_pictures(evidence, rows, **{"least_certain": (), "samples": {}, **changes})


def test_every_test_image_has_a_small_picture(fitted):
    evidence = read_evidence(fitted)
    found = read(evidence)
    assert sorted(found.small) == list(range(len(evidence.rows)))
    with Image.open(io.BytesIO(found.small[0])) as image:
        assert image.format == "WEBP"
        assert image.size == (32, 24)
    assert found.sizes == ((32, 24),) * 3
    assert found.notes == ()


def test_what_the_galleries_show_is_larger_and_by_path(fitted):
    evidence = read_evidence(fitted)
    samples = choose_samples(evidence, evidence.samples)
    found = read(evidence, least_certain=(1, 2), samples=samples)
    wanted = {m["path"] for m in evidence.report.mistakes}
    wanted |= {evidence.rows.paths[1], evidence.rows.paths[2]}
    wanted |= {path for paths in samples.values() for path in paths}
    assert wanted <= set(found.large)


def test_samples_are_no_test_images(fitted):
    evidence = read_evidence(fitted)
    samples = choose_samples(evidence, evidence.samples)
    assert sorted(samples) == [0, 1, 2]
    assert all(len(paths) > 1 for paths in samples.values())
    assert not {p for paths in samples.values() for p in paths} & set(evidence.rows.paths)
    for label, paths in samples.items():
        assert {path.split("/")[0] for path in paths} == {evidence.report.class_names[label]}


def test_an_image_that_changed_has_no_picture_and_that_is_said(fitted):
    evidence = read_evidence(fitted)
    path = evidence.rows.paths[3]
    Image.new("RGB", (8, 8)).save(f"{evidence.samples.root}/{path}")
    found = read(evidence)
    assert 3 not in found.small
    assert path not in found.large
    assert found.notes[0].startswith("1 of ")
    assert "cannot be shown" in found.notes[0]


def test_samples_that_are_gone_are_counted_too(fitted):
    evidence = read_evidence(fitted)
    samples = choose_samples(evidence, evidence.samples)
    gone = [path for paths in samples.values() for path in paths][:5]
    for path in gone:
        (Path(evidence.samples.root) / path).unlink()
    found = read(evidence, samples=samples)
    assert not set(gone) & set(found.large)
    assert found.notes[0].startswith("5 of ")


def test_without_room_the_mistakes_keep_their_pictures(fitted, monkeypatch):
    evidence = read_evidence(fitted)
    wrong = set(np.flatnonzero(~evidence.is_correct).tolist())
    assert wrong
    everything = read(evidence)
    room = sum(len(everything.small[place]) for place in wrong)
    monkeypatch.setattr(module, "SMALL_BYTES", room)
    found = read(evidence)
    assert wrong <= set(found.small)
    assert sum(map(len, found.small.values())) <= room
    assert "small pictures were left out" in found.notes[0]


def test_without_a_store_there_are_none(fitted):
    found = read(replace(read_evidence(fitted), samples=None))
    assert (found.small, found.large) == ({}, {})


class TestChooseRows:
    def test_all_if_there_is_room(self, fitted):
        evidence = read_evidence(fitted)
        rows, note = choose_rows(evidence, np.array([3]))
        np.testing.assert_array_equal(rows, np.arange(len(evidence.rows)))
        assert note == ""

    @pytest.mark.parametrize(
        ("room", "n_wrong", "said"), [(10, 4, "all 4 mistakes"), (4, 2, "some of the 4 mistakes")]
    )
    def test_what_is_asked_for_comes_first_then_the_mistakes(
        self, fitted, monkeypatch, room, n_wrong, said
    ):
        evidence = with_answers(read_evidence(fitted), n_rows=30, wrong=[2, 9, 11, 29])
        monkeypatch.setattr(module, "MAX_ROWS", room)
        rows, note = choose_rows(evidence, np.array([20, 4]))
        assert len(rows) == room
        assert (np.diff(rows) > 0).all()
        assert {4, 20} <= set(rows.tolist())
        assert len(set(rows.tolist()) & {2, 9, 11, 29}) == n_wrong
        assert said in note
        assert f"{room} of 30 test images" in note


def test_least_certain_are_right_answers_with_a_close_second(fitted):
    evidence = with_answers(read_evidence(fitted), n_rows=4, wrong=[1])
    scores = np.array([[0.6, 0.4, 0], [0.2, 0.5, 0.3], [0.5, 0.45, 0.05], [0.98, 0.02, 0]])
    evidence = replace(evidence, rows=replace(evidence.rows, scores=scores))
    assert find_least_certain(evidence).tolist() == [2, 0, 3]
    alone = replace(evidence, rows=replace(evidence.rows, scores=scores[:, :1]))
    assert find_least_certain(alone).tolist() == []


def with_answers(evidence, *, n_rows, wrong):
    y_pred = np.zeros(n_rows, np.intp)
    y_pred[wrong] = 1
    rows = AnsweredRows(
        paths=tuple(f"{i:03}.jpg" for i in range(n_rows)),
        y_true=np.zeros(n_rows, np.intp),
        y_pred=y_pred,
        scores=np.eye(3)[y_pred],
    )
    return replace(evidence, rows=rows)
