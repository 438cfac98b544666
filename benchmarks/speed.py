"""Images a second of this package and of what people use instead, side by side on this machine.

    python benchmarks/speed.py
    python benchmarks/speed.py --models resnet50@224 --json speed.json
    python benchmarks/speed.py --peers --peers-python peers/bin/python     (see peers.py)

Every contender is a process of its own, started and warm before anything is measured: loading,
converting and compiling are in the column "start" and nowhere else. Then they are measured in
turn, round after round, and the medians of the rounds are compared: on a shared machine only
ratios within one run can be trusted. Networks of Keras Applications have random weights, which
take the same time. All contenders run the same network with its preprocessing inside, but for the
peers, which have their own. Linux only.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from contending import Case
from measure import ROOT, Contender, Extraction, Worker, run_rounds, say
from reports import begin_report, write_report
from tables import print_case, print_products, print_reasons

HERE = Path(__file__).resolve().parent
MODELS = "vgg16@150,resnet50@224,inception_v3@299,efficientnet-lite0@224"
PHOTOS = ROOT.parent / "shared" / "data" / "cats-and-dogs"

PRODUCTS = {
    "numpy-product": "NumPy, float32",
    "product-float32": "OpenVINO, float32",
    "product-bfloat16": "OpenVINO, bfloat16",
}
TUTORIALS = {
    "keras-loop": "Keras, photos one at a time (the tutorials' loop)",
    "keras-folder": "Keras, photos by image_dataset_from_directory",
    "keras-batches": "Keras, memory, batches of 32",
}
ENGINES = {
    "keras-engine": "our Keras engine, memory, float32",
    "openvino-float32": "our OpenVINO engine, memory, float32",
    "openvino-bfloat16": "our OpenVINO engine, memory, bfloat16",
    "decoding": "our decoding alone, photos",
}
PEERS = {
    "torch-loader-float32": "PyTorch eager (timm), photos by DataLoader, float32",
    "torch-loader-bfloat16": "PyTorch eager (timm), photos by DataLoader, bfloat16",
    "torch-float32": "PyTorch eager (timm), memory, float32",
    "torch-bfloat16": "PyTorch eager (timm), memory, bfloat16",
    "onnxruntime": "ONNX Runtime, memory, float32",
    "img2vec": "img2vec_pytorch, photos, float32",
    "embetter": "embetter (timm), photos, float32",
}
NEVER_RUN = {
    "thingsvision 2.7.3": "its pins (torch 2.0.1, TensorFlow 2.15, NumPy 1) need an environment"
    " of their own; with NumPy 2 it cannot be imported (numpy.AxisError is gone)",
    "clip-retrieval": "it runs CLIP networks alone, none of these",
}


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default=MODELS, help=f"default: {MODELS}")
    parser.add_argument("--photos", type=Path, default=PHOTOS, help="a folder of class folders")
    parser.add_argument("--json", type=Path, help="write everything to this file")
    parser.add_argument(
        "--images", type=int, help="in each measurement; default: as many as last --seconds"
    )
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement; default 4")
    parser.add_argument("--rounds", type=int, default=3, help="default 3")
    parser.add_argument("--peers", action="store_true", help="measure other tools as well")
    parser.add_argument("--peers-python", default=sys.executable, help="the Python they are in")
    arguments = parser.parse_args()
    try:
        arguments.cases = [Case.parse(text) for text in arguments.models.split(",")]
    except argparse.ArgumentTypeError as exc:
        parser.error(f"--models: {exc}")
    if not arguments.photos.is_dir():
        parser.error(f"{arguments.photos} is no folder: give --photos a folder of class folders.")
    if arguments.rounds < 1 or arguments.seconds <= 0 or (arguments.images or 1) < 1:
        parser.error("--rounds, --seconds and --images must be greater than 0.")
    arguments.photos = arguments.photos.resolve()
    return arguments


def main() -> None:
    """Measure, print and write."""
    arguments = parse_arguments()
    started = time.monotonic()
    report = begin_report()
    report["rounds"], report["never_run"] = arguments.rounds, NEVER_RUN if arguments.peers else {}
    report["products"], report["cases"] = measure_products(arguments), []
    with tempfile.TemporaryDirectory(prefix="speed-") as folder:
        for case in arguments.cases:
            report["cases"].append(measure_case(case, arguments, Path(folder)))
            report["minutes"] = round((time.monotonic() - started) / 60, 1)
            write_report(report, arguments.json)
    print_reasons(report["never_run"])
    say(f"{report['minutes']} minutes")


def measure_products(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure what the processor can do at most."""
    say("matrix products")
    ours = [sys.executable, str(HERE / "contenders.py")]
    flags = ["--seconds", str(arguments.seconds / 2)]
    contenders = [Worker(name, label, [*ours, name, *flags]) for name, label in PRODUCTS.items()]
    run_rounds(contenders, arguments.rounds)
    rows = [contender.row for contender in contenders]
    print_products(rows)
    return [row.to_dict() for row in rows]


def measure_case(case: Case, arguments: argparse.Namespace, cache_dir: Path) -> dict[str, Any]:
    """Measure one network by all contenders."""
    say(str(case))
    contenders = list_contenders(case, arguments, cache_dir)
    run_rounds(contenders, arguments.rounds)
    rows = [contender.row for contender in contenders]
    return {"case": str(case), **print_case(case, rows), "rows": [row.to_dict() for row in rows]}


def list_contenders(
    case: Case, arguments: argparse.Namespace, cache_dir: Path
) -> Sequence[Contender]:
    """Return all that run a network, ours before the engines, which use what it has converted."""
    flags = ["--case", str(case), "--photos", str(arguments.photos), "--cache-dir", str(cache_dir)]
    flags += ["--seconds", str(arguments.seconds)]
    flags += [] if arguments.images is None else ["--images", str(arguments.images)]

    def open_workers(python: str, script: str, labels: dict[str, str]) -> list[Worker]:
        command = [python, str(HERE / script)]
        return [Worker(name, label, [*command, name, *flags]) for name, label in labels.items()]

    open_ours = partial(open_workers, sys.executable, "contenders.py")
    extractions = [
        make_extraction(case, precision, arguments, cache_dir)
        for precision in ("float32", "bfloat16")
    ]
    peers = open_workers(arguments.peers_python, "peers.py", PEERS) if arguments.peers else []
    return [*open_ours(TUTORIALS), *extractions, *open_ours(ENGINES), *peers]


def make_extraction(
    case: Case, precision: str, arguments: argparse.Namespace, cache_dir: Path
) -> Extraction:
    """Return our command, from photos to a store on the disk."""
    flags = {
        "--dataset": arguments.photos,
        "--model": case.model,
        "--image-size": case.image_size,
        "--weights": case.weights,
        "--pooling": case.pooling,
        "--precision": precision,
        "--device": "cpu",
        "--cache-dir": cache_dir,
    }
    return Extraction(
        f"extract-{precision}",
        f"**our `extract`, photos to store, {precision}**",
        [str(word) for flag in flags.items() for word in flag],
        n_photos=sum(path.is_file() for path in arguments.photos.rglob("*")),
        n_images=arguments.images,
        seconds=arguments.seconds,
    )


if __name__ == "__main__":
    main()
