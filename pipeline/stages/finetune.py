"""Train the last layers of a network on a data set, and keep its weights for extract."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline import __version__, plots
from pipeline.backbones.engines import choose_device
from pipeline.backbones.headless import build_bare
from pipeline.backbones.keras_engine import demand_float32
from pipeline.backbones.quiet_keras import keras, keras_versions
from pipeline.cache import read_samples
from pipeline.config import FinetuneConfig, FitConfig
from pipeline.errors import FinetuneError
from pipeline.extraction.job import ExtractJob
from pipeline.finetuning.exporting import pack_weights
from pipeline.finetuning.feeding import Feed, make_feeds
from pipeline.finetuning.holding_out import hold_out
from pipeline.finetuning.network import Trainee, compile_trainee, make_trainee
from pipeline.finetuning.plans import TuningPlan
from pipeline.finetuning.sources import KeptMaps, Photos, Source
from pipeline.finetuning.training import OnEpoch, train
from pipeline.fitting.measuring import accuracy_interval
from pipeline.grouping import group_table
from pipeline.machine import count_cores, free_memory
from pipeline.records import Epoch, OnProgress, SampleTable, TrainedLayer, TunedNetwork, find_best
from pipeline.splits import Partition, split_rows
from pipeline.streaming import needs_streaming
from pipeline.tuned import (
    CURVES,
    clear_state,
    count_epochs,
    images_csv,
    load_state,
    lock_tuned,
    read_tuned,
    save_tuned,
    settings_of_split,
    work_path,
)

OnLayers = Callable[[tuple[TrainedLayer, ...]], None]

FLOAT32_BYTES = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Task:
    """One training, with its images told apart by what they are used for."""

    job: ExtractJob
    plan: TuningPlan
    store: Path
    folder: Path
    config: FinetuneConfig
    split_config: FitConfig
    table: SampleTable
    split: Partition
    uses: Mapping[str, NDArray[np.intp]]
    device: str


def finetune(
    job: ExtractJob,
    plan: TuningPlan,
    store: Path,
    folder: Path,
    config: FinetuneConfig,
    split_config: FitConfig,
    *,
    on_layers: OnLayers | None = None,
    on_epoch: OnEpoch | None = None,
    on_note: Callable[[str], None] | None = None,
    on_progress: OnProgress | None = None,
) -> TunedNetwork:
    """Train a network, or go on where a training was stopped, and keep what comes of it.

    Parameters
    ----------
    job : ExtractJob
        Of the plain transfer values of the network that the training begins with.
    plan : TuningPlan
        Of this job and config.
    store : Path
        Complete, of `plan.extraction`.
    folder : Path
        From `tuned.tuned_path`.
    config : FinetuneConfig
    split_config : FitConfig
        The images that `fit` would test on with it are not looked at before the end.
    on_layers : callable, optional
        Called with all layers that have weights, before the first epoch.
    on_epoch : callable, optional
        Called with all epochs so far after each, and before the first if there are some already.
    on_note : callable, optional
        Called with a sentence if what an earlier run kept cannot be gone on from.
    on_progress : callable, optional
        Called with (batches done, batches of all epochs).

    Raises
    ------
    CacheLockedError
        If another process trains the same.
    CacheError
        If the store cannot be read.
    ClassifierError
        If the images cannot be split.
    FinetuneError
        If the training fails, or what it made cannot be kept.
    """
    table = read_samples(store)
    if split_config.group_by is not None:
        table, _ = group_table(table, split_config.group_by)
    split = split_rows(table, config=split_config)
    held = hold_out(table, split, validation_size=config.validation_size, seed=split_config.seed)
    device = choose_device(job.config.device)
    if not config.mixed_precision:
        demand_float32()
    task = _Task(
        job=job,
        plan=plan,
        store=store,
        folder=folder,
        config=config,
        split_config=split_config,
        table=table,
        split=split,
        uses={**held, "test": split.test},
        device=device,
    )
    with lock_tuned(folder), keras.device("cpu:0" if device == "cpu" else device):
        done = None if job.config.overwrite else read_tuned(folder)
        if done is not None:  # by who held the lock before
            return done
        trainee = _build(task)
        if on_layers is not None:
            on_layers(trainee.layers)
        feeds, history = _train(task, trainee, on_epoch, on_note, on_progress)
        return _keep(task, trainee, feeds["test"], history)


def _build(task: _Task) -> Trainee:
    part, config = task.plan.part, task.config
    backbone = build_bare(
        part.spec,
        part.weights,
        image_size=part.image_size,
        precision="bfloat16" if config.mixed_precision else "float32",
    )
    return make_trainee(
        backbone,
        part.spec,
        config,
        first=task.plan.first,
        cut=task.plan.cut,
        n_classes=len(task.table.class_names),
        seed=task.split_config.seed,
    )


def _train(
    task: _Task,
    trainee: Trainee,
    on_epoch: OnEpoch | None,
    on_note: Callable[[str], None] | None,
    on_progress: OnProgress | None,
) -> tuple[dict[str, Feed], tuple[Epoch, ...]]:
    """Train what is not trained yet; the network then has the weights of the best epoch."""
    work = work_path(task.folder)
    identity = {
        "folder": task.folder.name,
        "cut": list(task.plan.cut),
        "versions": _versions(),
    }
    state = load_state(work, identity)
    if state is not None and on_epoch is not None:
        on_epoch(state.history)
    n_lost = count_epochs(work) if state is None else 0
    if n_lost and on_note is not None:
        on_note(
            f"What was kept after epoch {n_lost} is damaged, or by other versions of the "
            "libraries: the training begins anew."
        )
    feeds = make_feeds(
        _open_source(task, trainee),
        task.uses,
        task.table.labels,
        n_classes=len(task.table.class_names),
        batch_size=task.config.batch_size,
        is_balanced=task.split_config.class_weight is not None,
        seed=task.split_config.seed,
        epoch=0 if state is None else len(state.history),
    )
    n_steps = task.config.epochs * len(feeds["train"])
    compile_trainee(trainee.model, task.config, n_steps=n_steps, on_gpu=task.device != "cpu")
    kept = train(
        trainee.model,
        feeds["train"],
        feeds["validation"],
        task.config,
        state=state,
        work=work,
        identity=identity,
        on_epoch=on_epoch,
        on_progress=on_progress,
    )
    return feeds, kept.history


def _open_source(task: _Task, trainee: Trainee) -> Source:
    job, table = task.job, task.table
    if not task.plan.cut:
        place = {path: row for row, path in enumerate(job.manifest.paths)}
        rows = np.array([place[path] for path in table.paths], np.int64)
        (geometry,) = job.geometries
        return Photos(job.manifest, rows, geometry, workers=job.config.workers or count_cores())
    n_bytes = len(table.labels) * table.n_features * FLOAT32_BYTES
    return KeptMaps(
        task.store,
        trainee.cut_shapes,
        n_views=task.plan.extraction.views,
        in_memory=not needs_streaming(n_bytes, free=free_memory()),
    )


def _keep(
    task: _Task, trainee: Trainee, test_feed: Feed, history: tuple[Epoch, ...]
) -> TunedNetwork:
    """Measure a trained network on the test images, once, and write its folder."""
    part, table, uses = task.plan.part, task.table, task.uses
    weights = pack_weights(trainee.backbone, part.spec, image_size=part.image_size)
    logits = np.asarray(trainee.model.predict(test_feed, verbose=0))
    correct = logits.argmax(axis=1) == table.labels[uses["test"]]
    best_epoch = find_best(history)
    tuned = TunedNetwork(
        dataset=table.dataset,
        model=table.model,
        weights_sha256=hashlib.sha256(weights).hexdigest(),
        start_sha256=part.weights.sha256,
        config=task.config.to_dict(),
        split_config=settings_of_split(task.split_config),
        split=task.split.how,
        class_names=table.class_names,
        cut=task.plan.cut,
        layers=trainee.layers,
        history=history,
        best_epoch=best_epoch,
        n_train=len(uses["train"]),
        n_validation=len(uses["validation"]),
        n_test=len(uses["test"]),
        accuracy=float(correct.mean()),
        accuracy_ci=accuracy_interval(table, uses["test"], correct),
        device=task.device,
        seconds=round(sum(epoch.seconds for epoch in history), 3),
        versions=_versions(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        notes=(*task.plan.notes, *task.split.notes),
    )
    figure = plots.draw_training(history, best_epoch=best_epoch)
    drawn = zip(CURVES, (plots.to_png(figure), plots.to_svg(figure)), strict=True)
    rows = {**uses, "unused": task.split.unused}
    try:
        save_tuned(
            task.folder,
            tuned,
            weights=weights,
            images=images_csv(table.paths, table.sha256, rows),
            drawn=dict(drawn),
        )
        clear_state(work_path(task.folder))
    except OSError as exc:
        raise FinetuneError(
            f"The weights could not be written to {task.folder}: {exc}. Make room; the same "
            "command then writes them without training again."
        ) from exc
    return tuned


def _versions() -> dict[str, str]:
    return {**keras_versions(), "transfer-values": __version__}
