"""What a job makes of its settings: how many images at once, how many threads, and where."""

import time
from dataclasses import replace

import pytest

from pipeline.backbones import precision
from pipeline.config import ExtractConfig
from pipeline.extraction import job as job_module
from pipeline.extraction import preparing
from pipeline.extraction.batch_sizes import remember
from pipeline.extraction.preparing import prepare


@pytest.fixture
def make_job(photos, tmp_path):
    (tmp_path / "cache").mkdir()

    def make_job(**changes):
        settings = {"image_size": 32, "weights": "random", "device": "cpu", **changes}
        return prepare(ExtractConfig(dataset=str(photos), cache_dir=tmp_path / "cache", **settings))

    return make_job


class TestPlace:
    def test_it_names_the_network_and_where_it_is_to_run(self, make_job):
        assert make_job(precision="bfloat16").place == {
            "network": "efficientnet-lite0@32",
            "engine": "openvino",
            "device": "cpu",
            "precision": "bfloat16",
        }
        joined = make_job(model="vgg16+mobilenet_v3_small", device="gpu:1").place
        assert joined["network"] == "vgg16@32+mobilenet_v3_small@32"
        assert (joined["engine"], joined["device"]) == ("keras", "gpu:1")

    @pytest.mark.parametrize(("has_driver", "engine"), [(True, "keras"), (False, "openvino")])
    def test_keras_is_expected_where_there_may_be_a_gpu(
        self, make_job, monkeypatch, has_driver, engine
    ):
        monkeypatch.setattr(precision, "may_have_gpu", lambda: has_driver)
        assert make_job(device="auto").place["engine"] == engine
        assert make_job(device="cpu").place["engine"] == "openvino"

    @pytest.mark.parametrize(
        ("flags", "expected"), [("sse avx512_bf16", "bfloat16"), ("sse", "float32")]
    )
    def test_auto_is_settled_before_it_is_remembered(
        self, make_job, tmp_path, monkeypatch, flags, expected
    ):
        (tmp_path / "cpuinfo").write_text(f"flags : {flags}\n")
        monkeypatch.setattr(precision, "_CPU_INFO", tmp_path / "cpuinfo")
        assert make_job(precision="auto").place["precision"] == expected


class TestBatchSize:
    def test_what_is_asked_for_is_taken(self, make_job, tmp_path):
        job = make_job(batch_size=3)
        remember(tmp_path / "cache", 2, **job.place)
        assert job.batch_size == 3

    def test_without_a_word_it_is_left_to_the_engine(self, make_job):
        assert make_job().batch_size is None

    def test_what_fitted_last_time_is_taken_again(self, make_job, tmp_path):
        job = make_job()
        remember(tmp_path / "cache", 2, **job.place)
        assert job.batch_size == job.remembered == make_job().batch_size == 2
        assert make_job(image_size=64).batch_size is None
        assert make_job(precision="bfloat16").batch_size is None

    def test_what_has_to_fit_now_comes_first(self, make_job, tmp_path):
        job = replace(make_job(batch_size=9), fitting=4)
        remember(tmp_path / "cache", 6, **job.place)
        assert (job.batch_size, job.config.batch_size) == (4, 9)

    def test_asking_for_it_writes_nothing(self, make_job, tmp_path):
        job = make_job()
        before = sorted(tmp_path.rglob("*"))
        assert job.batch_size is None
        assert sorted(tmp_path.rglob("*")) == before


class TestWorkers:
    def test_without_a_word_it_is_one_a_core(self, make_job, monkeypatch):
        monkeypatch.setattr(job_module, "count_cores", lambda: 7)
        assert make_job().workers == 7
        assert make_job(workers=3).workers == 3


class TestDeadline:
    def test_without_one_it_is_never_late(self, make_job):
        assert make_job().deadline == float("inf")
        assert not make_job().is_late

    def test_the_time_begins_before_the_images_are_hashed(self, make_job, monkeypatch):
        def load(*args, **kwargs):
            began.append(time.monotonic())
            return real(*args, **kwargs)

        real, began = preparing.load_manifest, [time.monotonic()]
        monkeypatch.setattr(preparing, "load_manifest", load)
        job = make_job(max_time=3600.0)
        assert began[0] + 3600 <= job.deadline <= began[1] + 3600
        assert not job.is_late
        assert replace(job, deadline=time.monotonic()).is_late


def test_each_backbone_gets_images_of_its_own_shape(make_job):
    job = make_job(model="efficientnet-lite0+mobilenet_v3_small", image_size=None, resize="pad")
    assert [geometry.size for geometry in job.geometries] == [224, 224]
    assert {geometry.resize for geometry in job.geometries} == {"pad"}
    sizes = make_job(model="inception_v3+efficientnet_b1", image_size=None).geometries
    assert [geometry.size for geometry in sizes] == [299, 240]
