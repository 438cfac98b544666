"""What a test asks of a figure."""

from html import unescape

NAMES = (
    "cat & <dog>",
    "$\\frac{1}{2}$",
    "_hidden",
    "日本語の猫",
    "two\nlines\x1b[31m",
    "\udcff",
    "<script>1</script>",
    "--><!--",
    "{}%s\\n",
    "عربى",
)
"""Class names that break what does not take them as text."""

SHOWN = (
    "cat & <dog>",
    "$\\frac{1}{2}$",
    "_hidden",
    "日本語の猫",
    "two\\nlines\\x1b[31m",
    "\\udcff",
    "<script>1</script>",
    "--><!--",
    "{}%s\\n",
    "عربى",
)
"""The same as a figure shows them."""


def texts_of(figure):
    """Return all text that is drawn, in no order."""
    figure.draw_without_rendering()
    return {
        artist.get_text()
        for artist in figure.findobj(lambda artist: hasattr(artist, "get_text"))
        if artist.get_visible() and artist.get_text()
    }


def legend_of(figure):
    """Return the labels of the only legend of a figure or of its axes."""
    legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes)]
    (legend,) = [each for each in legends if each is not None]
    return [text.get_text() for text in legend.get_texts()]


def texts_in(svg):
    """Return what stands in the <text> elements of an SVG, as a reader sees it."""
    return [unescape(part.split(">", 1)[1].split("</text>")[0]) for part in svg.split("<text")[1:]]
