import numpy as np

from pipeline.config import FitConfig
from pipeline.fitting.in_memory import fit_table
from pipeline.fitting.tuning_notes import describe_tuning, describe_unknown
from pipeline.splits import split_rows
from tests.feature_tables import make_table

TABLE = make_table(n_classes=2, n_per_class=20)
CONFIG = FitConfig(C=1.0)
PART = split_rows(TABLE, config=CONFIG)


def uses_of(**rows):
    return {TABLE.sha256[row].tobytes(): use for use, some in rows.items() for row in some}


def test_nothing_is_said_of_a_network_that_was_not_trained_here():
    assert describe_tuning(TABLE, PART, {}) == ()


def test_test_images_that_trained_or_validated_are_counted():
    a, b, c, *rest = PART.test.tolist()
    uses = uses_of(train=[a, *PART.train], validation=[b], test=[c, *rest])
    (note,) = describe_tuning(TABLE, PART, uses)
    assert note.startswith(f"2 of the {len(PART.test)} test images were among those")
    (note,) = describe_tuning(TABLE, PART, uses_of(train=[a]))
    assert note.startswith(f"1 of the {len(PART.test)} test image was among those")


def test_none_of_them_did_is_said_too():
    (note,) = describe_tuning(TABLE, PART, uses_of(train=PART.train, test=PART.test))
    assert f"none of the {len(PART.test)} test images was among them" in note


def test_of_weights_from_elsewhere_it_is_said_that_nobody_knows():
    assert "not known here" in describe_unknown("mine.h5")
    assert "a\\x1b.h5" in describe_unknown("a\x1b.h5")


def test_a_fit_has_the_note():
    uses = uses_of(train=np.arange(len(TABLE.labels)))
    notes = fit_table(TABLE, CONFIG, uses=uses).report.notes
    assert any("the accuracy flatters" in note for note in notes)
    assert not any("flatters" in note for note in fit_table(TABLE, CONFIG).report.notes)
