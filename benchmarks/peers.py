"""Other tools on the same networks, with random weights, in an environment of their own.

    python -m venv peers
    peers/bin/pip install torch==2.13.0 onnxruntime onnx tf2onnx tensorflow-cpu keras h5py numpy \
        pillow scikit-learn pandas tqdm pyyaml huggingface_hub safetensors
    peers/bin/pip install --no-deps torchvision==0.28.0 timm img2vec_pytorch embetter

PyPI's torchvision is compiled for CUDA's torch, so beside a CPU's torch its own operators cannot be
loaded. Nothing here uses them: transforms and networks are written in Python.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import types
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.metadata import version
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import contending
import numpy as np
from contending import Case, Task, Work, cut
from PIL import Image

if TYPE_CHECKING:
    import torch

BATCH = 32
_N_WORKERS = 2
_TIMM_NAMES = {
    "vgg16": "vgg16",
    "resnet50": "resnet50",
    "inception_v3": "inception_v3",
    "efficientnet-lite0": "tf_efficientnet_lite0",
}
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class NotComparableError(Exception):
    """A tool cannot run this network; the message says why."""


class Photos:
    """Photos as PyTorch's tutorials read them: resized, cropped, normalised float32 tensors."""

    def __init__(self, paths: list[Path], image_size: int) -> None:
        from torchvision import transforms

        self._paths = paths
        self._transform = transforms.Compose(
            [
                transforms.Resize(image_size),
                transforms.CenterCrop(image_size),
                transforms.ToTensor(),
                transforms.Normalize(_MEAN, _STD),
            ]
        )

    def __getitem__(self, number: int) -> torch.Tensor:
        with Image.open(self._paths[number % len(self._paths)]) as image:
            return self._transform(image.convert("RGB"))


class Numbers:
    """A sampler whose length can be changed between two passes of a loader."""

    n_images = BATCH

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.n_images))

    def __len__(self) -> int:
        return self.n_images


def open_torch(task: Task, *, dtype: str) -> Work:
    """Run timm's network on tensors in memory."""
    import torch

    embed = _open_network(task.case, dtype)
    side = task.case.image_size
    images = torch.rand(BATCH, 3, side, side).contiguous(memory_format=torch.channels_last)

    def run(n_images: int) -> None:
        for _ in cut(n_images, BATCH):
            embed(images)

    return Work(run=run, step=BATCH, versions=_versions("torch", "timm"))


def open_torch_loader(task: Task, *, dtype: str) -> Work:
    """Run timm's network on photos that a DataLoader decodes in two processes."""
    _prepare_torchvision()
    from torch.utils.data import DataLoader

    embed = _open_network(task.case, dtype)
    numbers = Numbers()
    loader: Any = DataLoader(
        Photos(task.list_photos(), task.case.image_size),
        batch_size=BATCH,
        sampler=numbers,
        num_workers=_N_WORKERS,
        persistent_workers=True,
    )

    def run(n_images: int) -> None:
        numbers.n_images = n_images
        for images in loader:
            embed(images)

    return Work(run=run, step=BATCH, versions=_versions("torch", "timm", "torchvision"))


def _open_network(case: Case, dtype: str) -> Callable[[Any], Any]:
    """Return what turns a float32 batch into transfer values: timm's network, channels last."""
    import torch

    number = getattr(torch, dtype)
    network = _create_timm(case).eval().to(number, memory_format=torch.channels_last)

    def embed(images: Any) -> Any:
        with torch.inference_mode():
            images = images.to(number, memory_format=torch.channels_last)
            pictures = network.forward_features(images)
            flat = pictures.flatten(1) if case.pooling == "none" else pictures.mean((2, 3))
            return flat.float().numpy()

    return embed


def _create_timm(case: Case) -> Any:
    _prepare_torchvision()
    import timm

    return timm.create_model(_timm_name(case), pretrained=False, num_classes=0)


def _timm_name(case: Case) -> str:
    try:
        return _TIMM_NAMES[case.model]
    except KeyError:
        raise NotComparableError(f"{case.model} is not matched with a network of timm") from None


def _prepare_torchvision() -> None:
    """Let torchvision be imported without the operators that were compiled for another torch."""
    name = "torchvision._meta_registrations"  # describes those operators and fails without them
    sys.modules.setdefault(name, types.ModuleType(name))


def open_onnxruntime(task: Task) -> Work:
    """Run the Keras network, converted by tf2onnx, in ONNX Runtime on images in memory."""
    import onnxruntime

    side = task.case.image_size
    images = np.random.default_rng(0).integers(0, 256, (BATCH, side, side, 3), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "network.onnx")
        # In another process: Keras's memory is not ONNX Runtime's.
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            pool.submit(_export_onnx, task.case, path).result()
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(n_images: int) -> None:
        for _ in cut(n_images, BATCH):
            session.run(None, {name: images})

    return Work(run=run, step=BATCH, versions=_versions("onnxruntime", "tf2onnx", "keras"))


def _export_onnx(case: Case, path: str) -> None:
    from pipeline.backbones.headless import build_headless
    from pipeline.backbones.specs import get_spec
    from pipeline.backbones.weights import resolve_weights

    spec, side = get_spec(case.model), case.image_size
    weights = resolve_weights(spec, "random")
    model = build_headless(spec, weights, image_size=side, pooling=case.pooling)
    model.predict(np.zeros((1, side, side, 3), np.uint8), verbose=0)  # or it cannot be exported
    model.export(path, format="onnx", verbose=False)


def open_img2vec(task: Task) -> Work:
    """Give img2vec_pytorch lists of photos; it has its own transforms, at 224 pixels."""
    if str(task.case) != "resnet50@224":
        raise NotComparableError("img2vec_pytorch has resnet50 at 224 alone of these networks")
    _prepare_torchvision()
    import torchvision
    from img2vec_pytorch import img_to_vec

    img_to_vec.resnet50 = lambda **_: torchvision.models.resnet50()  # no download
    embedder = img_to_vec.Img2Vec(model="resnet50", layer_output_size=2048)
    photos = cycle(task.list_photos())

    def run(n_images: int) -> None:
        for part in cut(n_images, BATCH):
            embedder.get_vec([_open_rgb(path) for path in islice(photos, len(part))])

    return Work(run=run, step=BATCH, versions=_versions("img2vec_pytorch", "torch", "torchvision"))


def _open_rgb(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def open_embetter(task: Task) -> Work:
    """Give embetter's ImageLoader and TimmEncoder paths of photos, as its documentation does."""
    name = _timm_name(task.case)
    _prepare_torchvision()
    import timm
    from embetter.vision import ImageLoader, TimmEncoder
    from sklearn.pipeline import make_pipeline

    create = timm.create_model
    timm.create_model = lambda name, **flags: create(name, **{**flags, "pretrained": False})
    encoder = TimmEncoder(name)
    size = encoder.config["input_size"][1]
    if size != task.case.image_size:
        raise NotComparableError(f"embetter resizes for {name} to {size} pixels and to no other")
    embedder = make_pipeline(ImageLoader(), encoder)
    photos = cycle(map(str, task.list_photos()))

    def run(n_images: int) -> None:
        embedder.fit_transform(list(islice(photos, n_images)))

    return Work(run=run, step=1, versions=_versions("embetter", "timm", "torch"))


def _versions(*names: str) -> dict[str, str]:
    return {name: version(name) for name in names}


PEERS: dict[str, Callable[[Task], Work]] = {
    "torch-loader-float32": partial(open_torch_loader, dtype="float32"),
    "torch-loader-bfloat16": partial(open_torch_loader, dtype="bfloat16"),
    "torch-float32": partial(open_torch, dtype="float32"),
    "torch-bfloat16": partial(open_torch, dtype="bfloat16"),
    "onnxruntime": open_onnxruntime,
    "img2vec": open_img2vec,
    "embetter": open_embetter,
}

if __name__ == "__main__":
    contending.main(PEERS)
