"""What settings become before a network is loaded: backbones, layers, recipe and store."""

import hashlib

import h5py
import numpy as np
import pytest

from pipeline.backbones import tops
from pipeline.backbones.specs import get_specs
from pipeline.config import ExtractConfig
from pipeline.datasets.loose import list_nothing
from pipeline.errors import ConfigError, WeightsNotFoundError
from pipeline.extraction.preparing import (
    assign_layers,
    make_job,
    prepare,
    settle_network,
    settle_top_network,
)
from tests.backbones.test_weights import server

__all__ = ["server"]

LITE, SMALL = "efficientnet-lite0", "mobilenet_v3_small"
BOTH = f"{LITE}+{SMALL}"


@pytest.fixture
def settle(photos, tmp_path):
    def settle(**changes):
        settings = {"image_size": 64, "weights": "random", "device": "cpu", **changes}
        return prepare(ExtractConfig(dataset=str(photos), cache_dir=tmp_path / "cache", **settings))

    return settle


class TestJoined:
    def test_both_backbones_are_in_the_recipe_and_in_the_network_in_their_order(self, settle):
        for names in ((LITE, SMALL), (SMALL, LITE)):
            job = settle(model="+".join(names))
            assert job.recipe.model == "+".join(names)
            assert tuple(each.model for each in job.recipe.backbones) == names
            assert tuple(part.spec.name for part in job.network.parts) == names
            assert [each.preprocessing for each in job.recipe.backbones] == [
                part.spec.preprocessing for part in job.network.parts
            ]
            assert job.store.name.startswith("+".join(names) + "-")

    def test_the_order_is_another_store(self, settle):
        one, other = settle(model=BOTH), settle(model=f"{SMALL}+{LITE}")
        assert one.recipe.key != other.recipe.key
        assert one.network.key != other.network.key
        assert len({one.store, other.store, settle(model=LITE).store}) == 3

    def test_however_the_names_are_spelt_it_is_the_same_store(self, settle):
        assert settle(model="EfficientNetLite0+MobileNetV3Small").store == settle(model=BOTH).store

    def test_each_has_its_own_size_unless_one_is_given_for_all(self, settle):
        names = "inception_v3+efficientnet_b1"
        for size, expected in ((None, (299, 240)), (96, (96, 96))):
            job = settle(model=names, image_size=size)
            assert tuple(each.input_size for each in job.recipe.backbones) == expected
            assert job.network.image_sizes == expected
            assert tuple(geometry.size for geometry in job.geometries) == expected

    def test_a_size_that_one_of_them_cannot_take_names_that_one(self, settle):
        with pytest.raises(ConfigError, match="--image-size of inception_v3 must be at least 75"):
            settle(model=f"{LITE}+inception_v3", image_size=64)

    @pytest.mark.parametrize("names", ["vgg16+vgg16", "vgg16+VGG-16", f"{LITE}+vgg16+{LITE}"])
    def test_one_twice_is_refused(self, settle, names):
        with pytest.raises(ConfigError, match=r"names a backbone twice\. Name each once"):
            settle(model=names)

    @pytest.mark.parametrize("names", ["vgg16+", "+", "vgg16+vgg61", "vgg16,resnet50"])
    def test_what_is_no_backbone_is_refused(self, settle, names):
        with pytest.raises(ConfigError, match="is not a known backbone"):
            settle(model=names)

    def test_three_can_be_joined(self, settle):
        job = settle(model=f"{BOTH}+vgg16")
        assert job.network.image_sizes == (64, 64, 64)
        assert len(job.recipe.backbones) == 3

    def test_one_weights_file_cannot_belong_to_two(self, settle, tmp_path):
        file = tmp_path / "my.weights.h5"
        file.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
        with pytest.raises(ConfigError, match=r"my\.weights\.h5 cannot belong to both of .*random"):
            settle(model=BOTH, weights=str(file))
        assert settle(model=SMALL, weights=str(file)).recipe.backbones[0].weights_sha256


class TestLayers:
    def assign(self, names, *layers):
        return assign_layers(get_specs(names), layers)

    def test_of_a_single_backbone_they_are_plain_names(self):
        assert self.assign("vgg16") == {"vgg16": ()}
        assert self.assign("vgg16", "b", "a") == {"vgg16": ("b", "a")}

    def test_of_several_each_says_whose_it_is(self):
        assert self.assign(BOTH) == {LITE: (), SMALL: ()}
        assert self.assign(BOTH, f"{SMALL}:b", f"{LITE}:c", f"{SMALL}:a") == {
            LITE: ("c",),
            SMALL: ("b", "a"),
        }

    def test_the_backbone_may_be_spelt_otherwise(self):
        assert self.assign(BOTH, "EfficientNetLite0:c") == {LITE: ("c",), SMALL: ()}

    @pytest.mark.parametrize("layer", ["block3", f"{LITE}:", "vgg16:block3", "vgg61:b", ":block3"])
    def test_one_that_does_not_say_whose_it_is_is_refused(self, layer):
        with pytest.raises(ConfigError, match=r"does not say of which backbone.* MODEL:LAYER"):
            self.assign(BOTH, layer)

    def test_one_that_is_given_twice_in_two_spellings_is_refused(self):
        with pytest.raises(ConfigError, match="--layer is given twice"):
            self.assign(BOTH, f"{LITE}:a", "EfficientNetLite0:a")

    def test_they_are_in_the_recipe_and_in_the_network_of_their_backbone(self, settle):
        job = settle(model=BOTH, layers=(f"{SMALL}:a", f"{SMALL}:b"))
        assert [each.layers for each in job.recipe.backbones] == [(), ("a", "b")]
        assert [part.layers for part in job.network.parts] == [(), ("a", "b")]
        other = settle(model=BOTH, layers=(f"{SMALL}:b", f"{SMALL}:a"))
        assert len({job.recipe.key, other.recipe.key, settle(model=BOTH).recipe.key}) == 3
        assert len({job.network.key, other.network.key, settle(model=BOTH).network.key}) == 3


class TestViews:
    @pytest.mark.parametrize(
        ("changes", "network"),
        [
            ({}, (False, 1)),
            ({"augment": "hflip"}, (True, 1)),
            ({"augment": "hflip", "views": 2}, (True, 2)),
        ],
    )
    def test_they_are_in_the_recipe_and_in_the_network(self, settle, changes, network):
        job = settle(**changes)
        assert (job.network.mirrored, job.network.views) == network
        assert (job.recipe.augment, job.recipe.views) == (
            changes.get("augment", "none"),
            changes.get("views", 1),
        )

    def test_each_is_a_store_and_a_network_of_its_own(self, settle):
        jobs = [settle(), settle(augment="hflip"), settle(augment="hflip", views=2)]
        assert len({job.recipe.key for job in jobs}) == 3
        assert len({job.network.key for job in jobs}) == 3
        assert len({job.store for job in jobs}) == 3

    def test_precision_is_the_recipes_and_not_the_networks(self, settle):
        one, other = settle(precision="float32"), settle(precision="bfloat16")
        assert one.recipe.key != other.recipe.key
        assert one.network.key == other.network.key  # converted once for both


def test_offline_nothing_is_written(photos, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    config = ExtractConfig(dataset=str(photos), weights="random", cache_dir=tmp_path / "cache")
    prepare(config, offline=True)
    assert sorted(tmp_path.rglob("*")) == before


class TestTop:
    def settle(self, tmp_path, **changes):
        settings = {"weights": "random", "device": "cpu", "cache_dir": tmp_path, **changes}
        return settle_top_network(ExtractConfig(**settings))

    def test_a_top_takes_images_of_the_networks_own_size(self, tmp_path):
        network = self.settle(tmp_path, model="inception_v3")
        assert network.top
        assert network.image_sizes == (299,)
        assert self.settle(tmp_path, model="inception_v3", image_size=299) == network
        with pytest.raises(ConfigError, match="top of inception_v3 takes images of 299 pixels"):
            self.settle(tmp_path, model="inception_v3", image_size=224)

    def test_a_top_is_in_the_recipe(self, tmp_path):
        config = ExtractConfig(model=LITE, weights="random", device="cpu", cache_dir=tmp_path)
        whole = make_job(config, settle_top_network(config), list_nothing())
        headless = make_job(config, settle_network(config), list_nothing())
        assert whole.recipe.backbones[0].layers == ("top",)
        assert whole.recipe.key != headless.recipe.key

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"model": BOTH}, r"names 2\. Name one"),
            ({"layers": ("top_conv",)}, "--layer is of transfer values"),
            ({"pooling": "max"}, "--pooling is of transfer values"),
            ({"augment": "hflip", "views": 2}, "--views is of transfer values"),
        ],
    )
    def test_what_only_transfer_values_have_is_refused(self, tmp_path, changes, message):
        with pytest.raises(ConfigError, match=message):
            self.settle(tmp_path, **changes)

    def test_the_mirror_image_may_count(self, tmp_path):
        assert self.settle(tmp_path, augment="hflip").mirrored

    def test_its_own_file_is_downloaded_and_verified(self, tmp_path, monkeypatch, server):
        server.content = make_hdf5(tmp_path / "made.h5")
        digest = hashlib.md5(server.content).hexdigest()
        url = f"http://127.0.0.1:{server.server_port}/whole.h5"
        monkeypatch.setitem(tops._TOPS, "vgg16", (138_357_544, ("whole.h5", url), digest))
        monkeypatch.setenv("KERAS_HOME", str(tmp_path))
        (part,) = self.settle(tmp_path, model="vgg16", weights="imagenet").parts
        assert part.weights.path == tmp_path / "models" / "whole.h5"
        assert part.weights.sha256 == hashlib.sha256(server.content).hexdigest()
        assert server.n_requests == 1
        server.content = None
        self.settle(tmp_path, model="vgg16", weights="imagenet")
        assert server.n_requests == 1

    def test_another_file_than_the_published_one_is_refused(self, tmp_path, monkeypatch, server):
        server.content = make_hdf5(tmp_path / "made.h5")
        url = f"http://127.0.0.1:{server.server_port}/whole.h5"
        monkeypatch.setitem(tops._TOPS, "vgg16", (138_357_544, ("whole.h5", url), "0" * 32))
        monkeypatch.setenv("KERAS_HOME", str(tmp_path))
        with pytest.raises(WeightsNotFoundError, match=r"whole\.h5"):
            self.settle(tmp_path, model="vgg16", weights="imagenet")
        assert not (tmp_path / "models" / "whole.h5").exists()

    def test_offline_it_names_the_file_and_its_size(self, tmp_path, monkeypatch):
        monkeypatch.setenv("KERAS_HOME", str(tmp_path))
        config = ExtractConfig(model="vgg16", cache_dir=tmp_path)
        with pytest.raises(
            WeightsNotFoundError, match=r"vgg16_weights\S+kernels\.h5 .*about 553 MB"
        ):
            settle_top_network(config, offline=True)


def make_hdf5(path):
    with h5py.File(path, "w") as file:
        file["kernel"] = np.arange(1000.0)
    return path.read_bytes()
