import subprocess
import sys
import warnings

import matplotlib
import numpy as np
import pytest

from pipeline import plots
from pipeline.palette import CLASS_COLOURS
from pipeline.plots.style import class_styles, line_styles, own_style, write_number


def draw():
    return plots.draw_confusion([[3, 1], [0, 4]], ("cat", "dog"))


def test_a_users_settings_change_no_figure_and_are_left_alone():
    expected = plots.to_png(draw()), plots.to_svg(draw())
    theirs = {
        "font.size": 30,
        "axes.facecolor": "red",
        "savefig.bbox": "tight",
        "svg.fonttype": "path",
        "text.color": "green",
        "figure.dpi": 50,
        "image.cmap": "jet",
        "axes.grid": True,
    }
    with matplotlib.rc_context(theirs):
        assert (plots.to_png(draw()), plots.to_svg(draw())) == expected
        assert {name: matplotlib.rcParams[name] for name in theirs} == theirs


def test_pyplot_is_never_loaded():
    code = (
        "import sys; from pipeline import plots;"
        "plots.to_svg(plots.draw_confusion([[1, 0], [0, 1]], 'ab'));"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


def test_other_warnings_than_those_of_fonts_come_through():
    with pytest.warns(UserWarning, match="else"), own_style():
        warnings.warn("something else", UserWarning, stacklevel=1)


def test_the_first_classes_differ_in_colour_and_in_shape():
    styles = class_styles(100)
    assert len(styles) == 100
    assert len(set(styles[:70])) == 70
    assert tuple(colour for colour, _ in styles[:10]) == CLASS_COLOURS
    assert len({marker for _, marker in styles[:7]}) == 7


def test_ten_lines_need_no_dashes_and_more_of_them_have_some():
    styles = line_styles(40)
    assert [colour for colour, _ in styles[:10]] == list(CLASS_COLOURS)
    assert {dash for _, dash in styles[:10]} == {"-"}
    assert "-" not in {dash for _, dash in styles[10:]}
    assert len(set(styles)) == 40
    assert len(line_styles(50)) == 50


def test_no_two_of_the_ten_colours_are_alike():
    seen = np.array([matplotlib.colors.to_rgb(colour) for colour in CLASS_COLOURS])
    apart = np.linalg.norm(seen[:, None] - seen, axis=2)[np.triu_indices(10, 1)]
    assert apart.min() > 0.2


def _lightness(colour):
    linear = np.array(matplotlib.colors.to_rgb(colour)) ** 2.2
    return float(linear @ (0.2126, 0.7152, 0.0722))


def test_lines_stand_out_from_white_and_from_black_paper():
    for colour in CLASS_COLOURS:
        light = _lightness(colour)
        assert 1.05 / (light + 0.05) > 2, colour
        assert (light + 0.05) / 0.05 > 3, colour


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0001, "0.0001"),
        (0.032, "0.032"),
        (1, "1"),
        (5.0, "5"),
        (2000, "2,000"),
        (12500.0, "12,500"),
    ],
)
def test_numbers_at_axes_are_plain(value, shown):
    assert write_number(value) == shown
