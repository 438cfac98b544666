"""Make the README's figures, docs/figures/*.png, from the embedded model and data set.

Extracts and fits into a folder that is deleted again; half a minute on two cores, no download.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from pipeline.artifacts import newest_fit
from pipeline.cache import find_store, read_samples
from pipeline.stages.figures import write_figures
from pipeline.stages.plot import plot_images, plot_values, write_figure

REPOSITORY = Path(__file__).parents[1]
TARGET = REPOSITORY / "docs" / "figures"
OF_THE_FIT = ("confusion", "per_class", "tsne", "calibration", "learning_curve")
SHOWN_CLASS = "3"
MAX_BYTES = 150_000


def run_pipeline(folder: Path) -> Path:
    """Extract and fit, and return the cache."""
    cache = folder / "cache"
    places = ("--cache-dir", str(cache), "--data-dir", str(folder / "data"))
    options = ("--learning-curve", "--no-html", "--quiet")
    command = [sys.executable, "-m", "pipeline", "run", *places, *options]
    subprocess.run(command, check=True, cwd=REPOSITORY, stdout=subprocess.DEVNULL)
    return cache


def draw(cache: Path, drawn: Path) -> dict[str, bytes]:
    """Return the figures' files by name."""
    write_figures(newest_fit(cache), drawn, compute_maps=("tsne",))
    store = find_store(cache)
    path = next(p for p in read_samples(store).paths if p.startswith(f"{SHOWN_CLASS}/"))
    write_figure(plot_images(store, limit=24), drawn / "images.png")
    write_figure(plot_values(store, path), drawn / "values.png")
    names = (*OF_THE_FIT, "images", "values")
    return {name: (drawn / f"{name}.png").read_bytes() for name in names}


def main() -> None:
    """Replace the figures."""
    with tempfile.TemporaryDirectory() as made:
        files = draw(run_pipeline(Path(made)), Path(made, "drawn"))
    TARGET.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        if len(content) > MAX_BYTES:
            sys.exit(f"{name}.png has {len(content):,} bytes, more than {MAX_BYTES:,}.")
        (TARGET / f"{name}.png").write_bytes(content)
        print(f"docs/figures/{name}.png  {len(content):,} bytes")


if __name__ == "__main__":
    main()
