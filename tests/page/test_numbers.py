import pytest

from pipeline.page import DERIVED, Numbers, format_value, resolve
from pipeline.page.numbers import join_path, other_number

FIELDS = {
    "n_test": 5,
    "confusion_matrix": [[2, 1], [0, 2]],
    "class_names": ["a", "b"],
    "skipped": {"zero bytes": 2, "a.b%/ü\udcff": 3},
    "twins": {"n_exact": 1, "n_near": 2, "pairs": [{"cosine": 1 / 3}]},
    "log_loss": None,
}


def test_a_path_leads_to_its_number():
    assert resolve(FIELDS, "twins.pairs.0.cosine") == 1 / 3
    assert resolve(FIELDS, "confusion_matrix.0.1") == 1


@pytest.mark.parametrize("key", FIELDS["skipped"])
def test_any_key_has_a_path(key):
    path = join_path("skipped", key)
    assert path.count(".") == 1
    assert path.isascii()
    assert resolve(FIELDS, path) == FIELDS["skipped"][key]


def test_a_number_carries_its_path_and_its_whole_value():
    assert Numbers(FIELDS).metric("twins.pairs.0.cosine", "percent") == (
        '<data class="metric" data-metric="twins.pairs.0.cosine" data-format="percent" '
        f'value="{1 / 3!r}">33.3\N{NO-BREAK SPACE}%</data>'
    )
    assert Numbers(FIELDS).metric("log_loss", "number").endswith('value="null">–</data>')


def test_an_unknown_path_is_an_error():
    with pytest.raises(KeyError):
        Numbers(FIELDS).metric("accuracy")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("right", 4),
        ("wrong", 1),
        ("row_share.0.1", 1 / 3),
        ("n_twins", 3),
        ("n_skipped", 5),
        ("n_classes", 2),
    ],
)
def test_what_is_counted(path, value):
    name, *arguments = path.split(".")
    assert DERIVED[name](FIELDS, *arguments) == value
    assert f'data-derived="{path}"' in Numbers(FIELDS).derived(path)


def test_a_row_without_images_has_no_shares():
    assert DERIVED["row_share"]({"confusion_matrix": [[0, 0], [1, 1]]}, "0", "1") is None


def test_other_numbers_claim_no_path():
    assert other_number(0.25, "percent") == (
        '<data class="other" value="0.25">25.0\N{NO-BREAK SPACE}%</data>'
    )


@pytest.mark.parametrize(
    ("value", "how", "shown"),
    [
        (0.98, "percent", "98.0 %"),
        (1, "percent", "100.0 %"),
        (0.0, "bare", "0.0"),
        (0.8935, "bare", "89.4"),
        (0.8935000000000001, "bare", "89.4"),
        (0.9999, "percent", "99.99 %"),
        (0.99996, "bare", "99.996"),
        (0.0000001, "bare", "0.0000"),
        (0.0003, "percent", "0.03 %"),
        (12345, "count", "12,345"),
        (0.12345, "number", "0.123"),
        (0.9996, "number", "0.9996"),
        (-1.0, "number", "−1.000"),
        (-0.5, "decision", "−0.50"),
        (0.00001, "short", "1e−05"),
        (-0.0012, "points", "−0.12 points"),
        (0.0123, "spread", "± 1.2"),
        (0.0449, "seconds", "0.04 s"),
        (12.345, "seconds", "12.3 s"),
        (1234.5, "seconds", "1,234 s"),
        (None, "percent", "–"),
    ],
)
def test_formats(value, how, shown):
    assert format_value(value, how).replace("\N{NO-BREAK SPACE}", " ") == shown
