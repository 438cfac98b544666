"""How finetune is asked, and what it refuses before anything is computed."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline import commands, options
from pipeline.cli import app
from pipeline.config import FinetuneConfig
from pipeline.errors import ConfigError


@pytest.fixture(autouse=True)
def _no_signals(monkeypatch):
    monkeypatch.setattr(commands.signals, "install", lambda: None)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimizer": "lion"}, "--optimizer must be one of adam"),
        ({"schedule": "steps"}, "--schedule must be one of"),
        ({"augment": ("blur",)}, "--augment must be one of hflip"),
        ({"augment": ("zoom", "zoom")}, "--augment is given twice"),
        ({"head": (0,)}, "--head must be at least 1"),
        ({"epochs": 0}, "--epochs must be at least 1"),
        ({"batch_size": 0}, "--batch-size must be at least 1"),
        ({"patience": 0}, "--patience must be at least 1"),
        ({"learning_rate": 0.0}, "--learning-rate must be greater than 0"),
        ({"learning_rate": float("nan")}, "--learning-rate must be greater than 0"),
        ({"weight_decay": -1.0}, "--weight-decay must be at least 0"),
        ({"dropout": 1.0}, "--dropout must be at least 0 and below 1"),
        ({"label_smoothing": -0.1}, "--label-smoothing must be at least 0"),
        ({"validation_size": 1.0}, "--validation-size must lie between 0 and 1"),
        ({"augment": ("zoom",), "cache_frozen": True}, "--cache-frozen keeps one output"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        FinetuneConfig(**settings)


def test_frozen_layers_are_cached_unless_images_change():
    assert FinetuneConfig().caches
    assert FinetuneConfig(augment=("hflip",)).caches
    assert not FinetuneConfig(augment=("hflip", "shift")).caches
    assert not FinetuneConfig(cache_frozen=False).caches


def test_each_optimizer_has_a_learning_rate_of_its_own():
    assert FinetuneConfig(optimizer="sgd").rate == 1e-2
    assert FinetuneConfig(optimizer="sgd", learning_rate=2e-5).rate == 2e-5
    assert FinetuneConfig().to_dict()["learning_rate"] == FinetuneConfig().rate
    assert "tensorboard" not in FinetuneConfig(tensorboard=Path("logs")).to_dict()


def test_flags_become_settings():
    config = options.finetune_config(
        head="256,128,64", patience="never", augment=["hflip", "zoom"], learning_rate=2e-5
    )
    assert config.head == (256, 128, 64)
    assert config.patience is None
    assert config.augment == ("hflip", "zoom")
    assert options.finetune_config() == FinetuneConfig()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--head", "a,b"), "--head is a list of whole numbers"),
        (("--patience", "soon"), "--patience must be a whole number, or never"),
        (("--model", "vgg16+resnet50"), "one network is trained at a time"),
        (("--model", "vgg17"), "Did you mean vgg19, vgg16"),
        (("--clf", "forest"), "--clf must be one of"),
    ],
)
def test_a_wrong_flag_is_wrong_usage(tmp_path, words, message):
    done = CliRunner().invoke(app, ["finetune", "--cache-dir", str(tmp_path), *words])
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in " ".join(done.stderr.split())
    assert list(tmp_path.iterdir()) == []
