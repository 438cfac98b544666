"""Which libraries decode: another one may round a pixel differently."""

from __future__ import annotations

import PIL
from PIL import features


def library_versions() -> dict[str, str]:
    """Return the versions of Pillow and of the JPEG library it brings."""
    jpeg = features.version("libjpeg_turbo") or features.version("jpg") or "unknown"
    return {"pillow": PIL.__version__, "libjpeg": str(jpeg)}
