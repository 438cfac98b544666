"""docs/serving.md: every block of code in it is run, each format by its own runtime."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.cache import stream_features
from pipeline.config import EXPORTS
from pipeline.stages.export_model import export_model
from tests.conftest import REPOSITORY, TINTS, save_photo
from tests.exporting_fits import extract_small, settle

PAGE = (REPOSITORY / "docs" / "serving.md").read_text(encoding="utf-8")
SECTIONS = {
    "keras": "Keras",
    "onnx": "ONNX",
    "openvino": "OpenVINO",
    "tflite": "TensorFlow Lite",
    "npz": "NumPy",
}


def blocks_of(title: str) -> list[str]:
    section = re.split(rf"^## {re.escape(title)}$", PAGE, flags=re.M)[1]
    return re.findall(r"```python\n(.*?)```", re.split(r"^## ", section, flags=re.M)[0], re.S)


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    root = tmp_path_factory.mktemp("serving")
    for k, (name, tint) in enumerate(TINTS.items()):
        for i in range(12):
            save_photo(root / "photos" / name / f"{i:02}.jpg", seed=100 * k + i, tint=tint)
    return settle(extract_small(root / "photos", root / "cache"), clf="logreg")


def run_blocks(blocks, *, cwd: Path) -> str:
    """Run what a reader would paste, where nothing of this package can be imported."""
    code = "\n".join([*blocks, "import sys", "assert 'pipeline' not in sys.modules"])
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "name",
    # tests/stages/test_export_model.py loads what Keras keeps, too.
    [pytest.param(name, marks=pytest.mark.slow if name == "keras" else ()) for name in EXPORTS],
)
def test_the_page_tells_how_to_load_it(name, predictor, tmp_path):
    from pipeline.backbones import formats

    export_model(predictor, tmp_path / f"model{EXPORTS[name]}", name, formats.make_file)
    root = Path(predictor.job.config.cache_dir).parent / "photos"
    (tmp_path / "photo.jpg").write_bytes((root / "green" / "03.jpg").read_bytes())
    values = np.concatenate([block for _, block in stream_features(predictor.store)])
    np.save(tmp_path / "values.npy", values[15:16])  # of the same photo
    expected = predictor.score(values[15:16])
    reading = (
        ["import numpy as np", "values = np.load('values.npy')"]
        if name == "npz"
        else blocks_of("Reading a photo")[:1]
    )
    blocks = [*reading, *blocks_of(SECTIONS[name]), "np.save('answers.npy', answers)"]
    assert run_blocks(blocks, cwd=tmp_path).splitlines()[-1] == "green"
    np.testing.assert_allclose(np.load(tmp_path / "answers.npy"), expected, atol=1e-3)


def test_a_large_photo_is_shrunk_as_the_page_says(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((3000, 2250)).save(tmp_path / "photo.jpg")
    blocks = [*blocks_of("Reading a photo"), "print(image.shape)"]
    printed = run_blocks(blocks, cwd=tmp_path)
    height, width, _ = eval(printed)
    assert 3 * 224 <= min(height, width) < 2 * 3 * 224
    assert abs(width / height - 4 / 3) < 0.01


def test_every_block_of_the_page_is_of_a_section_that_is_run():
    titles = re.findall(r"^## (.*)$", PAGE, flags=re.M)
    with_code = {title for title in titles if blocks_of(title)}
    assert with_code == {*SECTIONS.values(), "Reading a photo"}
