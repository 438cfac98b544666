import subprocess
import sys
from shutil import copytree

import numpy as np
import pytest
from PIL import Image

from pipeline import cache
from pipeline.config import ExtractConfig
from pipeline.errors import CacheIncompleteError, ConfigError, DatasetError
from pipeline.extraction.preparing import prepare
from pipeline.projection import Projection
from pipeline.stages import plot
from pipeline.stages.extract import extract
from tests.conftest import save_photo
from tests.made_stores import make_store


@pytest.fixture
def store(photos, tmp_path, engine):
    """Twelve photos each of three classes, one of them not an image."""
    (photos / "green" / "05.jpg").write_bytes(b"no image")
    config = ExtractConfig(
        dataset=str(photos), image_size=32, weights="random", cache_dir=tmp_path / "cache"
    )
    return extract(prepare(config), lambda job: engine).store


def pictures_of(figure):
    return [np.asarray(axes.images[0].get_array()) for axes in figure.axes]


def titles_of(figure):
    return [axes.get_title(loc="left") for axes in figure.axes]


class TestImages:
    def test_images_are_those_of_the_classes_named(self, store):
        figure = plot.plot_images(store, limit=9)
        assert titles_of(figure) == sorted(titles_of(figure))
        assert {titles_of(figure).count(name) for name in ("blue", "green", "red")} == {3}
        for title, pixels in zip(titles_of(figure), pictures_of(figure), strict=True):
            assert pixels.shape == (24, 32, 3)
            assert ("red", "green", "blue")[pixels.mean(axis=(0, 1)).argmax()] == title

    @pytest.mark.parametrize("limit", range(1, 36))
    def test_no_class_has_more_images_than_another_that_has_more_left(self, store, limit):
        titles = titles_of(plot.plot_images(store, limit=limit))
        counts = [titles.count(name) for name in ("blue", "green", "red")]
        assert sum(counts) == limit
        assert max(counts) - min(counts) <= 1

    def test_few_images_are_of_any_classes(self, store):
        shown = {tuple(titles_of(plot.plot_images(store, limit=2, seed=k))) for k in range(20)}
        assert shown == {("blue", "green"), ("blue", "red"), ("green", "red")}

    def test_a_small_class_is_shown_whole_and_the_large_ones_go_on(self, photos, tmp_path, engine):
        for path in sorted((photos / "red").iterdir())[2:]:
            path.unlink()
        config = ExtractConfig(
            dataset=str(photos), image_size=32, weights="random", cache_dir=tmp_path / "cache"
        )
        titles = titles_of(
            plot.plot_images(extract(prepare(config), lambda job: engine).store, limit=10)
        )
        assert [titles.count(name) for name in ("blue", "green", "red")] == [4, 4, 2]

    def test_the_lot_depends_on_the_seed_alone(self, store):
        drawn = [pictures_of(plot.plot_images(store, limit=6, seed=seed)) for seed in (1, 1, 2)]
        assert np.array_equal(drawn[0], drawn[1])
        assert not np.array_equal(drawn[0], drawn[2])

    def test_classes_come_in_order_whatever_their_folders_are(self, photos, tmp_path, engine):
        for part in ("test", "train"):
            for label in ("blue", "red"):
                copytree(photos / label, tmp_path / "given" / part / label)
        config = ExtractConfig(
            dataset=str(tmp_path / "given"),
            image_size=32,
            weights="random",
            cache_dir=tmp_path / "cache",
        )
        given = extract(prepare(config), lambda job: engine).store
        assert titles_of(plot.plot_images(given, limit=8)) == ["blue"] * 4 + ["red"] * 4

    def test_there_are_no_more_than_have_values(self, store):
        assert len(plot.plot_images(store, limit=100).axes) == 35

    @pytest.mark.parametrize("limit", [0, -1])
    def test_none_cannot_be_asked_for(self, store, limit):
        with pytest.raises(ConfigError, match="at least 1"):
            plot.plot_images(store, limit=limit)


class TestValues:
    def test_the_values_are_those_of_the_image(self, store):
        figure = plot.plot_values(store, "red/03.jpg")
        table = cache.read_features(store)
        values = table.features[table.paths.index("red/03.jpg")]
        image, square, bars = figure.axes[:3]
        assert image.get_title() == "red\nred/03.jpg"
        assert np.array_equal(np.ravel(square.images[0].get_array()), values)
        assert np.array_equal(bars.patches[0].get_data().values, values)
        assert np.asarray(image.images[0].get_array()).shape == (24, 32, 3)

    def test_an_image_may_be_named_as_it_lies_on_the_disk(self, store, photos, monkeypatch):
        monkeypatch.chdir(photos.parent)
        for image in (str(photos / "red" / "03.jpg"), "photos/red/03.jpg"):
            figure = plot.plot_values(store, image)
            assert figure.axes[0].get_title() == "red\nred/03.jpg"

    def test_the_first_image_is_the_default(self, store):
        assert plot.plot_values(store).axes[0].get_title() == "blue\nblue/00.jpg"

    def test_an_unknown_image_is_answered_with_its_likes(self, store, photos):
        with pytest.raises(ConfigError, match=r"no image 'red/3.jpg'") as raised:
            plot.plot_values(store, "red/3.jpg")
        assert "'red/03.jpg'" in str(raised.value)
        assert str(photos) in str(raised.value)

    def test_a_name_like_no_other_is_answered_with_an_example(self, store):
        with pytest.raises(ConfigError, match=r"\\x1b.*'blue/00.jpg'"):
            plot.plot_values(store, "\x1b" * 40)

    def test_a_skipped_image_has_no_values(self, store):
        with pytest.raises(ConfigError, match=r"skipped .*\.skipped\.csv"):
            plot.plot_values(store, "green/05.jpg")

    def test_a_large_image_is_not_drawn_at_its_size(self, tmp_path, engine):
        for name in ("a", "b"):
            path = tmp_path / "photos" / name / "1.png"
            path.parent.mkdir(parents=True)
            Image.new("RGB", (2000, 1000), (200, 10, len(name))).save(path)
        config = ExtractConfig(
            dataset=str(tmp_path / "photos"),
            image_size=32,
            weights="random",
            cache_dir=tmp_path / "cache",
        )
        figure = plot.plot_values(extract(prepare(config), lambda job: engine).store)
        assert np.shape(figure.axes[0].images[0].get_array()) == (320, 640, 3)


class TestMap:
    @pytest.fixture
    def projected(self, monkeypatch):
        """What was projected, and how; the points are the first two values."""
        seen = []

        def project(X, *, method, random_state):
            seen.append((X, method, random_state))
            explained = (0.75, 0.1234) if method == "pca" else None
            return Projection(points=X[:, :2].copy(), explained=explained, versions={})

        monkeypatch.setattr(plot, "project", project)
        return seen

    def test_points_are_all_rows_in_the_colours_of_their_classes(self, store, projected):
        figure = plot.plot_map(store, "pca", seed=3)
        table = cache.read_features(store)
        ((values, method, seed),) = projected
        assert np.array_equal(values, table.features)
        assert (method, seed) == ("pca", 3)
        axes = figure.axes[0]
        for label, drawn in enumerate(axes.collections):
            assert np.allclose(drawn.get_offsets(), table.features[table.labels == label, :2])
        assert axes.get_title(loc="left") == (
            "PCA of 3 transfer values of 35 images\nphotos · efficientnet-lite0"
        )
        assert axes.get_xlabel() == "component 1 (75.0 % of the variance)"
        assert axes.get_ylabel() == "component 2 (12.3 % of the variance)"
        assert [text.get_text() for text in axes.get_legend().get_texts()] == [
            "blue",
            "green",
            "red",
        ]

    def test_of_more_rows_than_the_limit_each_class_keeps_its_share(self, store, projected):
        figure = plot.plot_map(store, "tsne", limit=9, seed=1)
        axes = figure.axes[0]
        assert [len(drawn.get_offsets()) for drawn in axes.collections] == [3, 3, 3]
        assert axes.get_title(loc="left").startswith("t-SNE of 3 transfer values of 9 of 35 images")
        assert axes.get_xlabel() == ""
        plot.plot_map(store, "tsne", limit=9, seed=1)
        plot.plot_map(store, "tsne", limit=9, seed=2)
        first, again, other = (values for values, *_ in projected)
        assert np.array_equal(first, again)
        assert not np.array_equal(first, other)

    def test_mirror_images_count_with_their_image(self, tmp_path, projected):
        store = make_store(tmp_path, recipe={"augment": "hflip", "views": 2}, width=8)
        plot.plot_map(store, "pca")
        values = cache.read_features(store).features
        assert np.allclose(projected[0][0], (values[:, :4] + values[:, 4:]) / 2)

    def test_the_real_projection_is_taken(self, store):
        figure = plot.plot_map(store, "pca")
        assert figure.axes[0].get_xlabel().startswith("component 1 (")

    def test_an_unknown_method_is_refused(self, store):
        with pytest.raises(ConfigError, match="lda"):
            plot.plot_map(store, "lda")

    def test_rows_without_labels_have_no_legend(self, tmp_path, projected):
        contents = {f"{i}.jpg": str(i) for i in range(6)}
        store = make_store(tmp_path, contents, labels=dict.fromkeys(contents, ""))
        figure = plot.plot_map(store, "pca")
        assert figure.axes[0].get_legend() is None


ALL = (
    lambda store: plot.plot_images(store),
    lambda store: plot.plot_values(store),
    lambda store: plot.plot_map(store, "pca"),
)
WITH_IMAGES = ALL[:2]


class TestErrors:
    @pytest.mark.parametrize("draw", ALL)
    def test_an_unfinished_extraction_is_to_be_finished(self, tmp_path, small_blocks, draw):
        store = make_store(tmp_path, blocks=1)
        with pytest.raises(CacheIncompleteError, match="Finish it first: extract --dataset pets"):
            draw(store)

    @pytest.mark.parametrize("draw", ALL)
    def test_a_store_in_which_nothing_is_usable(self, tmp_path, draw):
        contents = {"cat/1.jpg": "a", "dog/2.jpg": "b"}
        with pytest.raises(DatasetError, match="all were skipped"):
            draw(make_store(tmp_path, contents, bad=tuple(contents)))

    @pytest.mark.parametrize("draw", WITH_IMAGES)
    def test_a_folder_that_is_gone_is_named(self, store, photos, draw):
        photos.rename(photos.with_name("elsewhere"))
        with pytest.raises(
            DatasetError, match=r"folder of the images is gone.*Put it back"
        ) as raised:
            draw(store)
        assert str(photos) in str(raised.value)

    @pytest.mark.parametrize("draw", WITH_IMAGES)
    def test_an_image_that_is_gone_is_named(self, store, photos, draw):
        for path in photos.glob("*/*"):
            path.unlink()
        with pytest.raises(DatasetError, match=r"\.jpg is gone\. .* extract --dataset"):
            draw(store)

    @pytest.mark.parametrize("draw", WITH_IMAGES)
    def test_another_image_of_the_same_name_is_not_drawn(self, store, photos, draw):
        for i, path in enumerate(sorted(photos.glob("*/*"))):
            save_photo(path, seed=9_000 + i)
        with pytest.raises(DatasetError, match=r"SHA-256 is another\. .* extract --dataset"):
            draw(store)

    def test_a_map_needs_no_images(self, store, photos):
        photos.rename(photos.with_name("elsewhere"))
        assert plot.plot_map(store, "pca").axes


class TestWriteFigure:
    @pytest.mark.parametrize(
        ("name", "beginning"),
        [("a.png", b"\x89PNG"), ("a.PNG", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.Svg", b"<?xml")],
    )
    def test_the_suffix_decides(self, store, tmp_path, name, beginning):
        plot.write_figure(plot.plot_map(store, "pca"), tmp_path / "new" / name)
        assert (tmp_path / "new" / name).read_bytes().startswith(beginning)

    @pytest.mark.parametrize("name", ["a.pdf", "a", "png", "a.jpg"])
    def test_other_suffixes_are_refused(self, store, tmp_path, name):
        with pytest.raises(ConfigError, match=r"\.png or \.svg"):
            plot.check_suffix(tmp_path / name)
        with pytest.raises(ConfigError, match=r"\.png or \.svg"):
            plot.write_figure(plot.plot_map(store, "pca"), tmp_path / name)


def test_neither_an_engine_nor_pyplot_is_loaded():
    code = (
        "import sys; from pipeline.stages import plot;"
        "print([m for m in ('tensorflow', 'openvino', 'matplotlib.pyplot') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_real_photographs(real_data, tmp_path, engine):
    config = ExtractConfig(
        dataset=str(real_data / "cats-and-dogs"),
        image_size=32,
        weights="random",
        cache_dir=tmp_path,
        limit=10,
    )
    store = extract(prepare(config), lambda job: engine).store
    figure = plot.plot_images(store)
    assert set(titles_of(figure)) == {"cat", "dog"}
    assert all(max(pixels.shape) <= plot.GRID_SIDE for pixels in pictures_of(figure))
    plot.write_figure(figure, tmp_path / "images.png")
