"""Pictures with their names."""

import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.images import read_given
from pipeline.images.geometry import Fitted
from pipeline.predicting.answering import Answered
from pipeline.records import Answer
from pipeline.stages import name_pictures
from pipeline.stages.name_pictures import NamedGrid, describe
from tests.conftest import save_photo

CAT = Answer(path="a.jpg", classes=("cat", "dog"), probabilities=(0.987, 0.013))


def part(answers, start=0):
    return Answered(
        start=start,
        answers=tuple(answers),
        values=np.zeros((len(answers), 1)),
        order=np.zeros((0, 3), int),
    )


@pytest.fixture
def photos(tmp_path):
    return [str(save_photo(tmp_path / f"{i}.jpg", seed=i)) for i in range(5)]


@pytest.mark.parametrize(("name", "start"), [("g.png", b"\x89PNG"), ("g.SVG", b"<?xml")])
def test_the_figure_is_of_the_kind_that_its_name_says(photos, tmp_path, name, start):
    grid = NamedGrid(tmp_path / "new" / name, photos)
    grid.take(part([CAT] * 5))
    grid.draw()
    assert (tmp_path / "new" / name).read_bytes().startswith(start)
    assert (grid.n_drawn, grid.n_more) == (5, 0)


def test_every_picture_has_its_own_name(photos, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        name_pictures.plots,
        "draw_answers",
        lambda images, titles: drawn.append((images, titles)),
    )
    monkeypatch.setattr(name_pictures, "_MAKERS", {".png": lambda figure: b""})
    grid = NamedGrid(tmp_path / "g.png", photos[:3], names={"dog": "hound"})
    grid.take(part([CAT, Answer(path="x", reason="zero bytes")]))
    grid.take(part([Answer(path="z", classes=("dog",), scores=(-2.5,))], start=2))
    grid.draw()
    ((images, titles),) = drawn
    assert titles == ["98.7 % cat\n1.3 % hound", "-2.5 hound"]
    for pixels, photo in zip(images, [photos[0], photos[2]], strict=True):
        np.testing.assert_array_equal(pixels, read_given(photo, [Fitted(side=224)]).pixels[0])


def test_there_is_room_for_so_many_and_the_rest_is_counted(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(name_pictures, "MAX_PICTURES", 2)
    grid = NamedGrid(tmp_path / "g.png", photos)
    grid.take(part([CAT] * 5))
    grid.draw()
    assert (grid.n_drawn, grid.n_more) == (2, 3)


def test_an_unknown_image_is_called_so_and_its_nearest_classes_are_told():
    unknown = Answer(path="", classes=("cat",), probabilities=(0.9,), is_unknown=True)
    assert describe(unknown, {}) == "unknown\n90.0 % cat"


@pytest.mark.parametrize("name", ["g.jpg", "g"])
def test_other_files_are_refused_before_anything_is_computed(name, tmp_path):
    with pytest.raises(ConfigError, match=r"ends in \.png or \.svg"):
        NamedGrid(tmp_path / name, [])


def test_without_a_picture_there_is_no_figure(photos, tmp_path):
    grid = NamedGrid(tmp_path / "g.png", photos)
    grid.take(part([Answer(path="x", reason="zero bytes")]))
    grid.draw()
    assert grid.n_drawn == 0
    assert not (tmp_path / "g.png").exists()
