"""Every format of every linear classifier and the mlp, on all test photos of a real data set."""

import numpy as np
import pytest

from pipeline.artifacts import read_file
from pipeline.backbones import formats
from pipeline.cache import read_samples, stream_features
from pipeline.config import EXPORTS
from pipeline.predictions import parse_answers
from pipeline.stages.export_model import export_model
from tests.exporting_fits import extract_small, read_photo, settle

FORMATS = tuple(name for name in EXPORTS if name != "npz")


@pytest.fixture(scope="module")
def cats_and_dogs(tmp_path_factory):
    from tests.conftest import REAL_DATA

    if not REAL_DATA.is_dir():
        pytest.skip(f"needs real photographs in {REAL_DATA}")
    cache = tmp_path_factory.mktemp("cache")
    photos = REAL_DATA / "cats-and-dogs"
    return extract_small(photos, cache, weights="imagenet", image_size=None, layers=())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("clf", ["logreg", "linear-svm", "mlp"])
def test_every_format_names_every_test_photo_as_predict_does(clf, cats_and_dogs, tmp_path):
    predictor = settle(cats_and_dogs, clf=clf)
    samples = read_samples(cats_and_dogs)
    answers = parse_answers(
        read_file(predictor.model.folder, "predictions.csv"), class_names=samples.class_names
    )
    values = np.concatenate([block for _, block in stream_features(cats_and_dogs)])
    row_of = {path: row for row, path in enumerate(samples.paths)}
    expected = predictor.score(values[[row_of[path] for path in answers.paths]])
    assert len(expected) == 280
    for name in FORMATS:
        to = tmp_path / f"{clf}{EXPORTS[name]}"
        export = export_model(predictor, to, name, formats.make_file)
        assert export.check.n_images == 32
        run = formats.open_model(to, name)
        found = np.concatenate(
            [run(read_photo(f"{samples.root}/{path}")) for path in answers.paths]
        )
        print(clf, name, "largest difference", np.abs(found - expected).max())
        np.testing.assert_array_equal(found.argmax(axis=1), expected.argmax(axis=1))
        np.testing.assert_allclose(found, expected, atol=1e-3)
