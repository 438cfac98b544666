"""Other people's text within Markdown."""

from __future__ import annotations

import re

from pipeline.records import printable


def escape(text: str) -> str:
    """Return text within a line of which nothing is read as Markdown, HTML or a link."""
    return re.sub(r"([\\`*_{}\[\]|<>&~:@$]|(?<=www)\.)", r"\\\1", printable(text))
