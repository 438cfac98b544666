import shlex
from pathlib import Path

from typer.testing import CliRunner

from pipeline import cli, commands
from pipeline.config import ExtractConfig
from pipeline.invocation import extract_command

STORE = Path("cache", "digits", "vgg16-00000000.zarr")


def test_only_what_is_not_the_default_is_given():
    assert extract_command(ExtractConfig().to_dict(), STORE) == (
        "extract --dataset digits --model efficientnet-lite0"
    )
    assert extract_command({}, STORE) == extract_command(ExtractConfig().to_dict(), STORE)


def test_the_cache_is_where_the_store_lies_now(tmp_path, monkeypatch):
    def flags(store):
        return extract_command({"cache_dir": "gone"}, store).split()[5:]

    monkeypatch.chdir(tmp_path)
    assert flags(tmp_path / STORE) == []
    assert flags(Path("other", *STORE.parts[1:])) == ["--cache-dir", "other"]
    (tmp_path / STORE).parent.mkdir(parents=True)
    monkeypatch.chdir((tmp_path / STORE).parent)
    assert flags(Path(STORE.name)) == ["--cache-dir", str(tmp_path / "cache")]


def test_a_folder_is_not_looked_for_among_the_named_ones():
    command = extract_command({"dataset": "/my/pets", "data_dir": "/data"}, STORE)
    assert command == "extract --dataset /my/pets --model efficientnet-lite0"
    assert "--data-dir /data" in extract_command({"data_dir": "/data"}, STORE)


def test_every_setting_becomes_the_flag_that_sets_it(tmp_path, monkeypatch):
    config = ExtractConfig(
        dataset="my photos",
        model="vgg16",
        data_dir=tmp_path / "data",
        cache_dir=tmp_path / "it's a cache",
        label_column="breed",
        weights="random",
        image_size=64,
        resize="pad",
        layers=("block4_pool", "block5_pool"),
        pooling="max",
        limit=7,
        batch_size=8,
        workers=3,
        device="cpu",
        precision="bfloat16",
        dtype="float16",
        overwrite=True,
    )
    store = config.cache_dir / "my-photos" / STORE.name
    program, *words = shlex.split(extract_command(config.to_dict(), store, overwrite=True))
    assert program == "extract"
    made = []
    monkeypatch.setattr(commands.signals, "install", lambda: None)
    stop = lambda terminal, config: made.append(config) or 1 / 0  # noqa: E731
    monkeypatch.setattr(cli.steps, "run_extraction", stop)
    CliRunner().invoke(cli.extract_app, words)
    assert made == [config]


def test_settings_of_another_version_are_passed_over():
    assert extract_command({"unheard_of": 1}, STORE) == extract_command({}, STORE)
