"""Every command that the README shows is run as it stands there."""

import re
import shlex
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import TINTS, save_photo
from tests.test_cli import run

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
COMMANDS = ("extract", "fit", "report", "pipeline")
# These need what cannot be downloaded in a test: they must fail as the README says they do.
NEED_A_DOWNLOAD = {
    "extract --model vgg16 --dataset dogs-vs-cats --image-size 150 --pooling none",
    "extract --dataset photos --model resnet50",
    "pipeline finetune --dataset photos --model resnet50 --unfreeze-from conv5_block1_1_conv",
}
# These are run by whoever runs the tests: they install the package, or are the tests.
INSTALL = {"./scripts/demo", "./scripts/test", "pip install ."}


def shown_commands() -> list[str]:
    """Return the lines of the README's shell blocks, without their comments."""
    blocks = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
    lines = [re.sub(r"\s+#.*", "", line) for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with a folder of photos in it, as the README supposes."""
    root = tmp_path_factory.mktemp("readme")
    for k, (name, tint) in enumerate(zip(("bird", "cat", "dog"), TINTS.values(), strict=True)):
        for i in range(12):
            photo = root / "photos" / name / f"{name}{i // 2}_{i}.jpg"
            save_photo(photo, seed=100 * k + i, tint=tint)
            enlarge(photo)
    return root


def enlarge(photo: Path) -> None:
    """Make a photo of a size that photos have: larger than what the network takes."""
    with Image.open(photo) as small:
        large = small.resize((320, 240), Image.Resampling.BICUBIC)
    large.save(photo, format="JPEG", quality=95)


@pytest.mark.parametrize("line", dict.fromkeys(shown_commands()))
def test_a_shown_command_does_what_it_says(line, folder, monkeypatch):
    if line in INSTALL:
        return
    program, *words = shlex.split(line)
    assert program in COMMANDS, f"say in this file how to test: {line}"
    monkeypatch.setenv("KERAS_HOME", str(folder / "keras"))
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing listens there
    done = run(*([] if program == "pipeline" else [program]), *words, cwd=folder)
    if line in NEED_A_DOWNLOAD:
        assert done.returncode == 1
        assert "By hand" in done.stderr
    else:
        assert done.returncode == 0, done.stderr
        assert done.stdout


def test_the_commands_in_the_text_exist():
    for name in re.findall(r"`pipeline (\w+)", README):
        assert run(name, "--help", cwd=Path.cwd()).returncode == 0


def test_every_file_that_is_linked_exists():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (Path(__file__).parents[1] / target).exists(), target
