"""Figures as bytes: PNG and SVG files for a paper, and SVG elements for a page."""

from __future__ import annotations

import io
import re
from typing import Any
from xml.etree import ElementTree

from matplotlib.figure import Figure

from pipeline.plots.style import INK, PAPER, own_style

RASTER_DPI = 200
"""Dots per inch of what is a picture within an SVG: photographs, and points beyond counting."""

_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_STEP = re.compile(r"([MLz])(?: (-?[\d.]+) (-?[\d.]+))?\s*")
_PLACES = ("d", "points", "x", "y", "width", "height", "viewBox")
_SCALING = re.compile("scale|matrix")
_DEAD = ("metadata", "style", "title")


@own_style()
def to_png(figure: Figure, dpi: int = 300) -> bytes:
    """Return a figure as a PNG file on white; equal figures give equal bytes.

    Parameters
    ----------
    figure : Figure
    dpi : int
        Dots per inch.
    """
    return _save(figure, "png", dpi=dpi, metadata={"Software": None}, facecolor=PAPER)


@own_style()
def to_svg(figure: Figure) -> bytes:
    """Return a figure as an SVG file on white, its text as text; equal figures give equal bytes."""
    return _save_svg(figure, facecolor=PAPER)


@own_style()
def to_inline_svg(figure: Figure, *, name: str) -> str:
    """Return a figure as an <svg> element to stand in a page of HTML.

    Text and axes take the page's own colour and font, and nothing is painted behind them; it
    scales to the width that it is given. Role and description are the page's to add.

    Parameters
    ----------
    figure : Figure
    name : str
        What ids in it begin with, unlike any other figure's of the page: letters, digits, hyphens
        and underscores.
    """
    made_here = _save_svg(figure, facecolor="none")
    root = ElementTree.fromstring(made_here)  # noqa: S314
    for parent in list(root.iter()):
        for child in list(parent):
            if _plain(child.tag) in _DEAD or _is_invisible(child):
                parent.remove(child)
    renamed = {old: f"{name}-{i}" for i, old in enumerate(_list_referenced(root))}
    for element in root.iter():
        _rewrite(element, renamed)
    root.attrib = {
        "viewBox": root.attrib["viewBox"],
        # What Matplotlib says in a <style> element, which would hold for the whole page.
        "stroke-linejoin": "round",
        "stroke-linecap": "butt",
        "font-family": "inherit",
    }
    return ElementTree.tostring(root, encoding="unicode").replace("\n", "")


def _save_svg(figure: Figure, *, facecolor: str) -> bytes:
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    return _save(figure, "svg", dpi=RASTER_DPI, metadata=nothing, facecolor=facecolor)


def _save(figure: Figure, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, **options)
    return buffer.getvalue()


def _plain(name: str) -> str:
    return name.rpartition("}")[2]


def _is_invisible(element: ElementTree.Element) -> bool:
    style = element.get("style", "").replace(" ", "")
    return _plain(element.tag) == "path" and style in ("fill:none", "fill:none;stroke:none")


def _list_referenced(root: ElementTree.Element) -> list[str]:
    """Return the ids that something in the element refers to, in order."""
    found: dict[str, None] = {}
    for element in root.iter():
        for attribute, value in element.attrib.items():
            if _plain(attribute) == "href" and value.startswith("#"):
                found[value[1:]] = None
            found.update(dict.fromkeys(_REFERENCE.findall(value)))
    return list(found)


def _rewrite(element: ElementTree.Element, renamed: dict[str, str]) -> None:
    """Give an element the page's colours and font, ids of its own, and shorter numbers."""
    element.tag = _plain(element.tag)
    attributes = {}
    for attribute, said in element.attrib.items():
        kind = _plain(attribute)
        value = _REFERENCE.sub(lambda found: f"url(#{renamed[found[1]]})", said)
        if kind == "id":
            if value in renamed:
                attributes["id"] = renamed[value]
        elif kind == "href" and value.startswith("#"):
            attributes["href"] = f"#{renamed[value[1:]]}"
        elif kind == "style":
            attributes["style"] = _restyle(value)
        elif kind == "d" and _STEP.sub("", value) == "":
            attributes[kind] = _shorten(value)
        elif kind in _PLACES or (kind == "transform" and not _SCALING.search(value)):
            attributes[kind] = _NUMBER.sub(_round, value)
        else:
            attributes[kind] = value
    element.attrib = attributes
    if element.tag != "text" and not (element.text or "").strip():
        element.text = None
    if not (element.tail or "").strip():
        element.tail = None


def _round(match: re.Match[str]) -> str:
    """Return a number to a hundredth of a point: 4 µm."""
    return f"{float(match[0]):.2f}".rstrip("0").rstrip(".")


def _shorten(path: str) -> str:
    """Write a path of straight lines as steps from point to point, in hundredths of a point.

    A curve of many rows takes a third of the room then. Each step goes from where the last one
    ended, rounded, so that they do not go astray.
    """
    written, x, y = [], 0, 0
    for command, *numbers in _STEP.findall(path):
        if command == "z":
            written.append("z")
            continue
        to_x, to_y = (round(100 * float(number)) for number in numbers)
        right, down = to_x - x, to_y - y
        x, y = to_x, to_y
        if command == "M":
            written.append(f"M{_hundredths(x)} {_hundredths(y)}")
        elif down == 0:
            written.append(f"h{_hundredths(right)}")
        elif right == 0:
            written.append(f"v{_hundredths(down)}")
        else:
            written.append(f"l{_hundredths(right)} {_hundredths(down)}")
    return "".join(written)


def _hundredths(number: int) -> str:
    return f"{number / 100:.2f}".rstrip("0").rstrip(".")


def _restyle(style: str) -> str:
    kept = []
    for declaration in style.split(";"):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if name == "font":  # Matplotlib before 3.11: "bold 8px 'DejaVu Sans', sans-serif"
            kept += [f"font-{what}:{found}" for what, found in _read_font(value)]
        elif name and name != "font-family":
            kept.append(f"{name}:{'currentColor' if value.lower() == INK else value}")
    return ";".join(kept)


def _read_font(value: str) -> list[tuple[str, str]]:
    before, size, _ = re.split(r"([\d.]+px)", value, maxsplit=1)
    weight = next((word for word in before.split() if word.isdigit() or word == "bold"), None)
    return [("size", size), *([("weight", weight)] if weight else [])]
