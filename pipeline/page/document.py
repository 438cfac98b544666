"""Templates, styles and scripts put together into one HTML document that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import bokeh
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipeline.records import printable

_ASSETS = resources.files("pipeline.page") / "assets"
_BOKEH = resources.files(bokeh) / "server" / "static" / "js" / "bokeh.min.js"
_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {}; "
    "base-uri 'none'; form-action 'none'"
)
_ESCAPED = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


BASE_SCRIPTS = ("theme.js", "elements.js", "tables.js", "page.js")
"""What any page needs: theme, navigation, sorting and filtering of tables, copying, printing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of a page: its anchor, and its name in the navigation and as a title."""

    anchor: str
    short: str
    title: str


def render_document(
    template: str,
    *,
    title: str,
    sections: Sequence[Section],
    scripts: Sequence[str] = BASE_SCRIPTS,
    data: Any = None,
    with_bokeh: bool = False,
    **context: Any,
) -> str:
    """Fill a template that extends ``base.html.j2``.

    No script runs but those named here: the page's own policy allows only what has their hashes.

    Parameters
    ----------
    template : str
        File in assets/.
    title : str
        Of the window.
    sections : sequence of Section
        In the order of the page; the template is given them, too.
    scripts : sequence of str
        Files in assets/, in order; they are one scope.
    data : JSON value, optional
        What the scripts read.
    with_bokeh : bool
        Whether BokehJS is embedded.
    **context
        What the template names.

    Returns
    -------
    str
        A whole HTML document, all of which UTF-8 can encode.
    """
    ours = "\n".join(_read(name) for name in scripts)
    embedded = [
        *([_BOKEH.read_text(encoding="utf-8")] if with_bokeh else []),
        f'(() => {{\n"use strict";\n{ours}}})();',
    ]
    page = _environment().get_template(template)
    text = page.render(
        title=title,
        sections=sections,
        policy=_POLICY.format(" ".join(map(_hash_source, embedded))),
        style=Markup(_read("page.css")),  # noqa: S704  our own file
        data=Markup(encode_json(data)),  # noqa: S704  escaped
        scripts=[Markup(script) for script in embedded],  # noqa: S704  our own, and Bokeh's
        **context,
    )
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def encode_json(data: Any) -> str:
    """Return JSON that can stand in a script element, whatever its strings say."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.translate(_ESCAPED)


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("pipeline.page", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_show,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _show(value: Any) -> Any:
    """Make the text of a name visible and encodable; what is HTML already stays as it is."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _read(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _hash_source(script: str) -> str:
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
