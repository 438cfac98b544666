"""Share of ImageNet photographs that the embedded networks name rightly, for each resize rule.

    python benchmarks/imagenet_sample.py FOLDER

FOLDER holds photographs whose file names begin with the WordNet id of what they show, such as
n01443537_goldfish.JPEG.
"""

import csv
import importlib.resources
import sys
from pathlib import Path

import numpy as np

from pipeline.backbones.efficientnet_lite import build_efficientnet_lite, load_state_dict
from pipeline.backbones.specs import get_spec
from pipeline.backbones.torch_weights import read_state_dict
from pipeline.backbones.weights import resolve_weights
from pipeline.images import Geometry, decode_image

RULES = {
    "crop 1.0": {"resize": "crop", "crop_fraction": 1.0},
    "crop 0.875": {"resize": "crop", "crop_fraction": 0.875},
    "squash": {"resize": "squash"},
    "pad": {"resize": "pad"},
}


def read_labels() -> dict[str, int]:
    """Return the output of the networks for each WordNet id."""
    table = importlib.resources.files("pipeline.backbones") / "imagenet_classes.csv"
    with table.open(encoding="utf-8") as file:
        return {row["wnid"]: int(row["index"]) for row in csv.DictReader(file)}


def main() -> None:
    """Print one row a network and rule."""
    labels = read_labels()
    paths = sorted(path for path in Path(sys.argv[1]).iterdir() if path.name[:9] in labels)
    expected = np.array([labels[path.name[:9]] for path in paths])
    for name in ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2"):
        spec = get_spec(name)
        size = spec.input_size
        model = build_efficientnet_lite(spec.constructor, image_size=size, include_top=True)
        load_state_dict(model, read_state_dict(resolve_weights(spec, "imagenet").path))
        for rule, settings in RULES.items():
            geometry = Geometry(size=size, interpolation=spec.interpolation, **settings)
            images = np.stack([decode_image(path.read_bytes(), geometry) for path in paths])
            logits = model.predict((images.astype(np.float32) - 127) / 128, verbose=0)
            right = int((logits.argmax(axis=1) == expected).sum())
            print(f"{name}  {rule:10}  {right} of {len(paths)} right ({right / len(paths):.1%})")


if __name__ == "__main__":
    main()
