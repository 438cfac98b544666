import io
import re
import subprocess
import sys
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from PIL import Image

from pipeline import plots
from pipeline.metrics import precision_recall_curve, roc_curve
from pipeline.plots.output import _STEP, _restyle, _shorten
from tests.plots.drawn import SHOWN, texts_in

SVG = "{http://www.w3.org/2000/svg}"
TUNING = {
    "parameter": "C",
    "scoring": "accuracy",
    "n_folds": 5,
    "n_rows": 100,
    "values": [0.01, 0.1, 1],
    "means": [0.8, 0.9, 0.85],
    "stds": [0.02, 0.01, 0.02],
    "best": 0.1,
}


@pytest.fixture
def figure():
    return plots.draw_tuning(TUNING)


def test_a_png_has_the_figures_size_and_stands_on_white(figure):
    image = Image.open(io.BytesIO(plots.to_png(figure)))
    assert image.size == (1050, 870)
    assert image.convert("RGBA").getpixel((0, 0)) == (255, 255, 255, 255)
    assert Image.open(io.BytesIO(plots.to_png(figure, dpi=100))).size == (350, 290)


def test_an_svg_stands_on_white_and_says_neither_when_nor_by_what_it_was_made(figure):
    svg = plots.to_svg(figure)
    root = ElementTree.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    assert b"fill: #ffffff" in svg
    assert b"metadata" not in svg
    assert matplotlib.__version__.encode() not in svg
    assert re.search(rb"20\d\d-\d\d-\d\d", svg) is None


def test_equal_figures_are_equal_bytes_however_often_they_are_written(hostile_figures):
    for name, figure in hostile_figures.items():
        for write in (plots.to_png, plots.to_svg, lambda f: plots.to_inline_svg(f, name="x")):
            assert write(figure) == write(figure), name


def test_another_process_makes_the_same_bytes():
    code = (
        "import hashlib; from pipeline import plots;"
        "figure = plots.draw_confusion([[3, 1], [0, 4]], ('cat', 'dog'));"
        "data = plots.to_svg(figure) + plots.to_inline_svg(figure, name='x').encode();"
        "print(hashlib.sha256(data).hexdigest())"
    )
    command = [sys.executable, "-c", code]
    ran = [subprocess.run(command, capture_output=True, check=True).stdout for _ in range(2)]
    assert ran[0] == ran[1] != b""


def test_names_survive_as_text(hostile_figures):
    for kind in ("confusion", "per_class", "images", "errors"):
        svg = plots.to_svg(hostile_figures[kind]).decode()
        inline = plots.to_inline_svg(hostile_figures[kind], name=kind)
        for written in (svg, inline):
            lines = texts_in(written)
            for name in SHOWN:
                wanted = ["two", "lines\\x1b[31m"] if kind in ("images", "errors") else [name]
                wanted = wanted if name.startswith("two") else [name]
                assert set(wanted) <= set(lines), (kind, name)


def test_nothing_in_a_name_becomes_an_element(hostile_figures):
    for kind, figure in hostile_figures.items():
        root = ElementTree.fromstring(plots.to_inline_svg(figure, name=kind))
        tags = {element.tag for element in root.iter()}
        assert tags <= {
            "svg",
            "g",
            "defs",
            "path",
            "text",
            "use",
            "clipPath",
            "rect",
            "image",
            "pattern",
            "tspan",
        }, kind


class TestInline:
    def test_it_scales_and_stands_alone(self, figure):
        svg = plots.to_inline_svg(figure, name="tuning")
        root = ElementTree.fromstring(svg)
        assert svg.startswith("<svg ")
        assert root.get("viewBox") == "0 0 252 208.8"
        assert not {"width", "height", "id", "style"} & set(root.attrib)
        for unwanted in ("<?xml", "<!DOCTYPE", "<style", "metadata", "xmlns", "http", "\n"):
            assert unwanted not in svg

    def test_text_and_axes_take_the_colour_and_font_of_the_page(self, figure):
        svg = plots.to_inline_svg(figure, name="tuning")
        assert "font-family:" not in svg
        assert "DejaVu" not in svg
        assert "#262626" not in svg
        root = ElementTree.fromstring(svg)
        texts = list(root.iter("text"))
        assert len(texts) > 8
        assert all("fill:currentColor" in text.get("style") for text in texts)
        assert all(re.search(r"font-size:\d", text.get("style")) for text in texts)
        assert "stroke:currentColor" in svg
        assert "#0072b2" in svg

    def test_nothing_is_painted_behind_it(self, figure):
        svg = plots.to_inline_svg(figure, name="tuning")
        assert "fill:#ffffff" not in svg
        assert "fill:#ffffff" in _spaceless(plots.to_svg(figure))

    def test_no_id_clashes_and_every_reference_is_met(self, hostile_figures):
        seen = set()
        for kind, figure in hostile_figures.items():
            svg = plots.to_inline_svg(figure, name=kind)
            ids = re.findall(r'\bid="([^"]+)"', svg)
            assert len(ids) == len(set(ids)), kind
            assert all(each.startswith(f"{kind}-") for each in ids), kind
            assert not seen & set(ids)
            seen |= set(ids)
            met = re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', svg)
            assert {a or b for a, b in met} == set(ids), kind
        assert len(seen) > 20

    def test_a_hatch_keeps_its_pattern(self, hostile_figures):
        svg = plots.to_inline_svg(hostile_figures["per_class"], name="bars")
        (pattern,) = ElementTree.fromstring(svg).iter("pattern")
        assert svg.count(f"fill:url(#{pattern.get('id')})") == len(SHOWN) + 1  # and the legend

    def test_the_figure_stays_what_it_was(self, figure):
        before = plots.to_svg(figure)
        plots.to_inline_svg(figure, name="tuning")
        assert plots.to_svg(figure) == before

    def test_curves_of_many_rows_stay_small(self):
        rng = np.random.default_rng(0)
        y = np.repeat(np.arange(10), 200)
        scores = rng.normal(size=(2_000, 10))
        scores[np.arange(2_000), y] += 1
        roc, pr = [], []
        for k in range(10):
            found = roc_curve(y == k, scores[:, k])
            roc.append((f"{k}", found.false_positive_rate, found.true_positive_rate, 0.8))
            found = precision_recall_curve(y == k, scores[:, k])
            pr.append((f"{k}", found.recall, found.precision, 0.5))
        assert len(plots.to_inline_svg(plots.draw_roc(roc), name="roc")) < 40_000
        assert len(plots.to_inline_svg(plots.draw_precision_recall(pr), name="pr")) < 60_000

    def test_a_short_path_goes_where_the_long_one_went(self):
        x = np.linspace(0, 1, 300)
        figure = plots.draw_roc([("a", x, x**0.3, 0.8)])
        (long,) = [
            path.get("d")
            for path in ElementTree.fromstring(plots.to_svg(figure)).iter(f"{SVG}path")
            if len(path.get("d")) > 500
        ]
        short = _shorten(long)
        assert len(short) < 0.6 * len(long)
        expected = np.array([numbers.split() for numbers in re.split("[ML]", long)[1:]], float)
        assert np.abs(_follow(short) - expected).max() <= 0.0051


def _follow(path):
    """Return where a path of M, l, h and v goes."""
    places, x, y = [], 0.0, 0.0
    for command, rest in re.findall(r"([Mlhv])([^Mlhv]*)", path):
        numbers = [float(number) for number in rest.split()]
        right, down = {"h": (*numbers, 0.0), "v": (0.0, *numbers)}.get(command, numbers)
        x, y = (right, down) if command == "M" else (x + right, y + down)
        places.append((x, y))
    return np.array(places)


@pytest.mark.parametrize(
    ("path", "short"),
    [
        ("M 1.004 2 L 1.004 3.5 L 2 3.5 L 3 3 z", "M1 2v1.5h1l1 -.5z"),
        ("M 0 0 C 1.2345 2 3 4 5 6 z", None),
    ],
)
def test_only_paths_of_straight_lines_are_written_anew(path, short):
    if short is None:
        assert _STEP.sub("", path) != ""
    else:
        assert _shorten(path).replace("0.", ".") == short


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("fill: #262626; stroke: #0072b2", "fill:currentColor;stroke:#0072b2"),
        ("font: 8px 'DejaVu Sans', sans-serif; fill: #262626", "font-size:8px;fill:currentColor"),
        ("font: bold 7.5px 'X'", "font-size:7.5px;font-weight:bold"),
        ("font: 700 7.5px 'X'", "font-size:7.5px;font-weight:700"),
        ("font-size: 7px; font-family: 'DejaVu Sans', sans-serif", "font-size:7px"),
    ],
)
def test_styles_of_older_and_newer_matplotlib_lose_their_font(style, expected):
    assert _restyle(style) == expected


def _spaceless(svg):
    return svg.decode().replace(" ", "")
