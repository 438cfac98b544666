"""Pictures of rows and paths as data URIs."""

from __future__ import annotations

import base64

from markupsafe import Markup

from pipeline.records import PageContent


def data_uri(picture: bytes) -> Markup:
    """Return a WebP picture as an address that holds it."""
    return Markup("data:image/webp;base64,") + encode_picture(picture)


def encode_picture(picture: bytes) -> str:
    """Return a picture in base64."""
    return base64.b64encode(picture).decode("ascii")


class Pictures:
    """What pictures a page has.

    Parameters
    ----------
    content : PageContent
    """

    def __init__(self, content: PageContent) -> None:
        self._content = content
        self._rows = {path: row for row, path in enumerate(content.rows.paths)}

    def __contains__(self, path: str) -> bool:
        rows, content = self._rows, self._content
        return path in content.pictures or rows.get(path, -1) in content.thumbnails

    def of(self, path: str) -> Markup | None:
        """Return the largest picture of a path that there is."""
        picture = self._content.pictures.get(path)
        if picture is None:
            picture = self._content.thumbnails.get(self._rows.get(path, -1))
        return None if picture is None else data_uri(picture)

    def why(self, path: str) -> Markup | None:
        """Return the picture that explains the answer."""
        found = self._content.explanations.get(path)
        return None if found is None else data_uri(found.picture)
