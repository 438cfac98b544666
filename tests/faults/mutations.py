"""Damage images at random, push them through an extraction, and say what came of it.

    python -m tests.faults.mutations SOURCE FOLDER COUNT SEED

SOURCE holds photographs, FOLDER takes the damaged ones and the cache. Prints one line of JSON.
"""

import io
import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline import cache
from pipeline.config import ExtractConfig
from pipeline.extraction.preparing import prepare
from pipeline.stages.extract import extract
from tests.conftest import MeanColourEngine
from tests.faults.pictures import encode, exif_of

N_PHOTOS = 12
SMALL = (160, 120)


def read_originals(source: Path) -> list[tuple[str, bytes]]:
    """Return photographs as they are, and smaller copies in other formats: (extension, file)."""
    originals = []
    for path in sorted(source.rglob("*.jpg"))[
        :: max(1, len(list(source.rglob("*.jpg"))) // N_PHOTOS)
    ]:
        data = path.read_bytes()
        originals.append(("jpg", data))
        originals += encode_otherwise(Image.open(io.BytesIO(data)).convert("RGB").resize(SMALL))
    return originals


def encode_otherwise(image: Image.Image) -> list[tuple[str, bytes]]:
    clear = image.convert("RGBA")
    clear.putalpha(image.convert("L"))
    deep = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    return [
        ("jpg", encode(image, "JPEG", progressive=True, exif=exif_of(6))),
        ("jpg", encode(image.convert("CMYK"), "JPEG")),
        ("png", encode(image)),
        ("png", encode(clear)),
        ("png", encode(deep)),
        ("png", encode(image.quantize(64), transparency=3)),
        (
            "gif",
            encode(image.quantize(64), "GIF", save_all=True, append_images=[image.quantize(8)]),
        ),
        ("bmp", encode(image, "BMP")),
        ("bmp", encode(image.quantize(16), "BMP")),
        ("webp", encode(image, "WEBP")),
        ("webp", encode(clear, "WEBP", lossless=True)),
        ("ppm", encode(image, "PPM")),
    ]


def mutate(data: bytes, other: bytes, random: np.random.Generator) -> bytes:
    """Return a damaged copy of `data`; some get a piece of `other`."""
    content = bytearray(data)
    start, end = sorted(int(i) for i in random.integers(0, len(content) + 1, 2))
    kind = random.integers(0, 8)
    if kind <= 2:  # flip bits: anywhere, or where the headers are
        reach = len(content) if kind == 0 else min(len(content), 64 if kind == 1 else 700)
        for position in random.integers(0, reach, random.integers(1, 9)):
            content[position] ^= 1 << int(random.integers(0, 8))
    elif kind == 3:
        del content[start:]
    elif kind == 4:
        del content[start : start + int(random.integers(1, 200))]
    elif kind == 5:
        content[start : start + 40] = bytes([int(random.choice([0, 255]))]) * 40
    elif kind == 6:
        content[start:end] = other[start:end]
    else:
        content[start:] = other[int(random.integers(0, len(other))) :]
    return bytes(content)


def write_mutants(source: Path, folder: Path, *, count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    originals = read_originals(source)
    for label in "ab":
        (folder / label).mkdir(parents=True)
    for i in range(count):
        extension, data = originals[i % len(originals)]
        _, other = originals[int(random.integers(0, len(originals)))]
        mutant = mutate(data, other, random)
        (folder / "ab"[i % 2] / f"{i:05}.{extension}").write_bytes(mutant)


def main(source: Path, folder: Path, count: int, seed: int) -> dict[str, object]:
    write_mutants(source, folder / "set", count=count, seed=seed)
    config = ExtractConfig(
        dataset=str(folder / "set"),
        image_size=32,
        weights="random",
        cache_dir=folder / "cache",
        workers=4,
    )
    started = time.perf_counter()
    extraction = extract(prepare(config), lambda job: MeanColourEngine(batch_size=32))
    features = cache.read_features(extraction.store).features
    return {
        "found": extraction.n_found,
        "cached": extraction.n_cached,
        "skipped": dict(extraction.skipped),
        "oddities": dict(extraction.oddities),
        "rows": len(features),
        "finite": bool(np.isfinite(features).all()),
        "lowest": float(features.min()),
        "highest": float(features.max()),
        "seconds": round(time.perf_counter() - started, 1),
        "megabytes": round(peak_megabytes()),
    }


def peak_megabytes() -> float:
    """Return this process's own peak: Linux gives ru_maxrss on from the process that started it."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    source, folder, count, seed = sys.argv[1:]
    print(json.dumps(main(Path(source), Path(folder), int(count), int(seed))))
