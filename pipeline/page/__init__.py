"""One self-contained HTML page about a fit. The only owner of Jinja2 and Bokeh."""

from pipeline.page.comparing import render_comparison
from pipeline.page.formats import FORMATS, format_value
from pipeline.page.numbers import DERIVED, Numbers, resolve
from pipeline.page.rendering import MATRIX_AS_TABLE, render_page

__all__ = [
    "DERIVED",
    "FORMATS",
    "MATRIX_AS_TABLE",
    "Numbers",
    "format_value",
    "render_comparison",
    "render_page",
    "resolve",
]
