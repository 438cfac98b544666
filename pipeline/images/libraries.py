"""Which libraries decode: another one may round a pixel differently."""

from __future__ import annotations

import PIL
from PIL import Image, features


def library_versions() -> dict[str, str]:
    """Return the versions of Pillow and of the JPEG library it brings."""
    jpeg = features.version("libjpeg_turbo") or features.version("jpg") or "unknown"
    return {"pillow": PIL.__version__, "libjpeg": str(jpeg)}


def resizes_tall_first() -> bool:
    """Tell whether this Pillow shrinks the height first where it shrinks more than the width.

    Pillow 13 does, older ones never do. Between the passes it rounds, so the order decides pixels.

    References
    ----------
    https://github.com/python-pillow/Pillow/pull/9549
    """
    # The filter overshoots at black and white edges, which is cut off between the passes.
    pixels = bytes(255 if (x + y // 8) % 2 else 0 for y in range(64) for x in range(2))
    column = Image.frombytes("L", (2, 64), pixels)
    direct = column.resize((3, 9), Image.Resampling.BICUBIC)
    down = column.resize((2, 9), Image.Resampling.BICUBIC)
    down_then_across = down.resize((3, 9), Image.Resampling.BICUBIC)
    return direct.tobytes() == down_then_across.tobytes()
