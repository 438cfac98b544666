import pytest

from pipeline.records import write_percent


@pytest.mark.parametrize(
    ("share", "digits", "shown"),
    [
        (1787 / 2000, 1, "89.4"),
        (0.8935000000000001, 1, "89.4"),
        (0.89349, 1, "89.3"),
        (0.005, 0, "1"),
        (1.0, 1, "100.0"),
        (0.0, 1, "0.0"),
        (1e-20, 1, "0.0"),
    ],
)
def test_halves_go_up_however_they_came_about(share, digits, shown):
    assert write_percent(share, digits) == shown
