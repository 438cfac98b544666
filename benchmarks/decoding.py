"""How fast JPEGs become the squares that a network takes, and how far the pixels lie apart.

    python benchmarks/decoding.py FOLDER
    python benchmarks/decoding.py FOLDER --megapixels 12 --images 8

FOLDER holds photographs; with `--megapixels`, enlarged and grainy copies of them are decoded
instead. simplejpeg and OpenCV (`pip install simplejpeg opencv-python-headless`) are compared where
they are installed. Speed is counted in processor time, so that other work on the machine hardly
matters; pixels are compared with those of Pillow's full decode and bicubic resize.
"""

import argparse
import io
import json
from collections.abc import Callable
from pathlib import Path
from time import process_time

import numpy as np
from PIL import ExifTags, Image

from pipeline.images import Geometry, decode_image

try:
    import simplejpeg
except ImportError:
    simplejpeg = None
try:
    import cv2
except ImportError:
    cv2 = None

Decoder = Callable[[bytes, int], np.ndarray]

ROUNDS = 3
BICUBIC = Image.Resampling.BICUBIC
GRAIN = 4  # grey levels: about what a small sensor leaves
REFERENCE = "Pillow, full"


def resize(image: Image.Image, size: int) -> np.ndarray:
    """Take the centre square with Pillow's bicubic filter."""
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    box = (left, top, left + side, top + side)
    return np.asarray(image.resize((size, size), BICUBIC, box))


def decode_ours(data: bytes, size: int) -> np.ndarray:
    """Decode as `extract` does, with its checks for damage and oddities."""
    return decode_image(data, Geometry(size=size))


def decode_pillow(gap: float | None) -> Decoder:
    """Return a decoder that leaves at least `gap` times the size."""

    def decode(data: bytes, size: int) -> np.ndarray:
        image = Image.open(io.BytesIO(data))
        if gap:
            image.draft(None, (int(size * gap), int(size * gap)))
        return resize(image, size)

    return decode


def decode_simplejpeg(gap: float | None) -> Decoder:
    """Return a decoder like Pillow's, which also knows scales such as 5/8."""

    def decode(data: bytes, size: int) -> np.ndarray:
        least = int(size * gap) if gap else 0
        pixels = simplejpeg.decode_jpeg(data, min_height=least, min_width=least)
        return resize(Image.fromarray(pixels), size)

    return decode


def decode_opencv(gap: float | None) -> Decoder:
    """Return a decoder that resizes by averaging (`INTER_AREA`)."""

    def decode(data: bytes, size: int) -> np.ndarray:
        scale = 1
        if gap:
            spare = min(Image.open(io.BytesIO(data)).size) / size / gap
            scale = next((scale for scale in (8, 4, 2) if scale <= spare), 1)
        flag = getattr(cv2, f"IMREAD_REDUCED_COLOR_{scale}") if scale > 1 else cv2.IMREAD_COLOR
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
        height, width = pixels.shape[:2]
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        square = pixels[top : top + side, left : left + side]
        small = cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA)
        return cv2.cvtColor(small, cv2.COLOR_BGR2RGB)

    return decode


def list_decoders() -> dict[str, Decoder]:
    """Return every decoder that is installed, by its name in the table."""
    decoders: dict[str, Decoder] = {
        REFERENCE: decode_pillow(None),
        "ours": decode_ours,
        "Pillow, draft to 2 ×": decode_pillow(2),
        "Pillow, draft to 1 ×": decode_pillow(1),
    }
    if simplejpeg:
        decoders["simplejpeg, full"] = decode_simplejpeg(None)
        decoders["simplejpeg, scaled to 3 ×"] = decode_simplejpeg(3)
        decoders["simplejpeg, scaled to 1 ×"] = decode_simplejpeg(1)
    if cv2:
        cv2.setNumThreads(1)
        decoders["OpenCV, full"] = decode_opencv(None)
        decoders["OpenCV, reduced to 3 ×"] = decode_opencv(3)
        decoders["OpenCV, reduced to 1 ×"] = decode_opencv(1)
    return decoders


def read_photographs(folder: Path, count: int) -> list[bytes]:
    """Return upright JPEGs in colour, evenly from all there are: those that all decoders take."""
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))
    files = []
    for path in paths[:: max(1, len(paths) // count)]:
        data = path.read_bytes()
        with Image.open(io.BytesIO(data)) as image:
            is_upright = image.getexif().get(ExifTags.Base.Orientation, 1) == 1
            if image.format == "JPEG" and image.mode == "RGB" and is_upright:
                files.append(data)
    return files[:count]


def enlarge(data: bytes, megapixels: float, seed: int) -> bytes:
    """Return a copy of a photograph of that many megapixels, 4:3, with grain and quality 90."""
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    size = (round(height * 4 / 3), height)
    image = Image.open(io.BytesIO(data)).convert("RGB").resize(size, BICUBIC)
    grain = np.random.default_rng(seed).normal(0, GRAIN, (height, size[0], 1))
    pixels = np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def time_decoders(decoders: dict[str, Decoder], files: list[bytes], size: int) -> dict[str, float]:
    """Return images a second of processor time, the best of some rounds in turn."""
    seconds = dict.fromkeys(decoders, float("inf"))
    for _ in range(ROUNDS):
        for name, decode in decoders.items():
            started = process_time()
            for data in files:
                decode(data, size)
            seconds[name] = min(seconds[name], process_time() - started)
    return {name: len(files) / taken for name, taken in seconds.items()}


def compare(decode: Decoder, reference: Decoder, files: list[bytes], size: int) -> dict[str, float]:
    """Return how many grey levels of 255 the pixels of two decoders lie apart."""
    apart = [
        np.abs(decode(data, size).astype(int) - reference(data, size).astype(int)) for data in files
    ]
    return {
        "mean": float(np.mean([each.mean() for each in apart])),
        "worst_image": float(max(each.mean() for each in apart)),
        "worst_pixel": int(max(each.max() for each in apart)),
    }


def main() -> None:
    """Print one row a decoder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--megapixels", type=float)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    files = read_photographs(arguments.folder, arguments.images)
    if not files:
        parser.error(f"there is no upright colour JPEG in {arguments.folder}")
    if arguments.megapixels:
        files = [enlarge(data, arguments.megapixels, i) for i, data in enumerate(files)]

    decoders = list_decoders()
    speeds = time_decoders(decoders, files, arguments.size)
    rows = [
        {
            "decoder": name,
            "images_per_second_per_core": speeds[name],
            "times_pillow_full": speeds[name] / speeds[REFERENCE],
            **compare(decode, decoders[REFERENCE], files, arguments.size),
        }
        for name, decode in decoders.items()
    ]
    kind = f"{arguments.megapixels:g} megapixels, made" if arguments.megapixels else "as they are"
    print(f"{len(files)} photographs, {kind}; centre square of {arguments.size} pixels")
    print(f"{'':26}  images/s a core          grey levels apart: mean  worst image  worst pixel")
    for row in rows:
        print(
            f"{row['decoder']:26}  {row['images_per_second_per_core']:15.1f}"
            f"  {row['times_pillow_full']:5.2f} ×  {row['mean']:22.3f}"
            f"  {row['worst_image']:11.2f}  {row['worst_pixel']:11}"
        )
    missing = [name for name, module in (("simplejpeg", simplejpeg), ("OpenCV", cv2)) if not module]
    if missing:
        print(f"not installed: {', '.join(missing)}")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
