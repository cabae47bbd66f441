"""Build what a rank trains with: data, preprocessing, model, optimizer, and where to go on."""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import ProjectConfiguration

from trainer.config.load import dump_config
from trainer.config.schema import RunConfig
from trainer.data.build import BatchBuilder, Split
from trainer.data.grouping import Grouping, plan_of
from trainer.data.index import Dataset
from trainer.data.layout import Layout
from trainer.data.loader import BatchPool
from trainer.data.order import planned_steps
from trainer.data.preprocessing import Preprocessing
from trainer.data.reading import Records
from trainer.model.download import ensure_local
from trainer.model.errors import ModelError
from trainer.model.load import DTYPES, load_trainable
from trainer.model.parts import count_parts
from trainer.model.segments import packed_attention
from trainer.run import durable
from trainer.run.events import Notice, Planned, Resumed
from trainer.run.layout import RunLayout
from trainer.train.build_vision_cache import Workload, build_vision_cache
from trainer.train.efficiency import Efficiency
from trainer.train.indexing import index_data, refuse_changed_data
from trainer.train.optimizer import build_optimizer
from trainer.train.out_of_memory import memory_for
from trainer.train.progress import Progress
from trainer.train.ranks import Ranks
from trainer.train.recorder import Recorder
from trainer.train.requests import Requests
from trainer.train.resume import StartingPoint, find_starting_point, restore
from trainer.train.setup import RunPaths, Setup
from trainer.train.skipped import read_skipped
from trainer.train.vision_cache import VisionCache
from trainer.train.window import Forward


def usable_gpus(config: RunConfig) -> int:
    """Return how many GPUs a run may use.

    Raises:
        ModelError: A GPU was asked for and there is none, or there are fewer than ranks.

    """
    gpus = 0 if config.model.device == "cpu" else torch.cuda.device_count()
    if config.model.device == "cuda" and not gpus:
        msg = "model.device is cuda but no GPU can be used; set model.device=cpu or run qvl doctor"
        raise ModelError(msg)
    if 0 < gpus < config.training.ranks:
        msg = f"training.ranks is {config.training.ranks} but {gpus} GPUs can be used; lower it"
        raise ModelError(msg)
    return gpus


def build_accelerator(config: RunConfig, layout: RunLayout) -> Accelerator:
    """Return the process's Accelerator on the configured device, of its own among several ranks."""
    return Accelerator(
        cpu=config.model.device == "cpu",
        mixed_precision="bf16" if config.model.dtype == "bf16" else "no",
        log_with=list(config.training.log_with) or None,
        project_config=ProjectConfiguration(logging_dir=str(layout.root / "trackers")),
    )


def prepare(
    run: RunPaths, config: RunConfig, recorder: Recorder, requests: Requests
) -> tuple[Setup, Progress]:
    """Return everything training needs and where it goes on.

    Raises:
        StoppedBeforeTraining: A stop was asked for on the way.
        RanksLost: Another rank has ended.

    """
    gpus = usable_gpus(config)
    ranks = Ranks.join(run.rank, run.layout.root / f".ranks-{run.attempt}", gpus=gpus > 0)
    accelerator = build_accelerator(config, run.layout)
    requests.share = ranks.gather
    with ranks.first_before_others():
        folder = ensure_local(config.model, recorder.write)
        config = with_fixed_revision(run.layout, config, folder)
        splits = ("train", "validation")
        train, validation = (index_data(config, split, recorder) for split in splits)
        refuse_changed_data(run.layout, {"train": train, "validation": validation})
    requests.leave_if_stopped()
    with ranks.first_before_others():
        start = find_starting_point(run.layout, config, train.sha256, recorder.write)
    set_threads(config, start.progress)
    local = config.model.model_copy(update={"path": str(folder)})
    preprocessing = Preprocessing.load(local, config.data)
    requests.leave_if_stopped()
    with memory_for("while the model was loaded"):
        model = load_trainable(config, accelerator.device, recorder.write)
        optimizer = build_optimizer(model, config.optimizer)
        progress = restore(start, model, optimizer)
    for counted in count_parts(model, config.tune):
        recorder.write(counted)
    splits = build_splits(config, train, validation)
    plan = plan_of(config, splits["train"].grouping)
    total_steps = planned_steps(config, plan)
    workload = Workload(len(train) + len(validation), plan.epochs_done(total_steps), ranks.count)
    vision = build_vision_cache(config, model, preprocessing, workload, recorder.write)
    setup = Setup(
        run=run,
        config=config,
        recorder=recorder,
        ranks=ranks,
        accelerator=accelerator,
        forward=Forward(model, preprocessing, accelerator, config.seed, vision),
        efficiency=Efficiency.of(model, accelerator.device, config.model.dtype),
        optimizer=optimizer,
        train_data=train,
        validation_data=validation,
        splits=splits,
        plan=plan,
        layout=Layout.of(config, preprocessing),
        pool=build_pool(config, preprocessing, splits, vision, requests.leave_waiting),
        total_steps=total_steps,
        data_sha256=train.sha256,
        skipped=read_skipped(run.layout),
        edits=set(),
    )
    announce(setup, progress, start)
    return setup, progress


def with_fixed_revision(layout: RunLayout, config: RunConfig, folder: Path) -> RunConfig:
    """Write the commit of a downloaded model into the run's configuration.

    A hub id without a revision means the newest commit, which may be another one on resume. The
    hub's cache names the folder of a snapshot after its commit.
    """
    if config.model_is_local or config.model.revision is not None:
        return config
    model = config.model.model_copy(update={"revision": folder.name})
    fixed = config.model_copy(update={"model": model})
    durable.replace_file(layout.config, dump_config(fixed).encode())
    return fixed


def set_threads(config: RunConfig, progress: Progress) -> None:
    """Use the same number of CPU threads in every attempt; another number rounds differently."""
    progress.threads = thread_count(config, progress.threads)
    torch.set_num_threads(progress.threads)


def thread_count(config: RunConfig, earlier: int) -> int:
    """Return the threads of earlier attempts (0: there are none), else the configured ones."""
    return earlier or config.training.threads or torch.get_num_threads()


def build_splits(config: RunConfig, train: Dataset, validation: Dataset) -> dict[str, Split]:
    """Return the records of both splits, and how they are grouped into samples."""
    splits: dict[str, Split] = {}
    for name, dataset in (("train", train), ("validation", validation)):
        records = Records.of(dataset, config.data)
        splits[name] = Split(records, Grouping.of(records, config.seed))
    return splits


def build_pool(
    config: RunConfig,
    preprocessing: Preprocessing,
    splits: Mapping[str, Split],
    vision: VisionCache | None,
    while_waiting: Callable[[], None] = lambda: None,
) -> BatchPool:
    """Return the pool that turns sample numbers into batches."""
    builder = BatchBuilder(preprocessing.encoder, splits, keys=vision is not None)
    return BatchPool(
        builder,
        workers=config.data.workers,
        prefetch_bytes=config.data.prefetch_bytes,
        timeout_seconds=config.data.worker_timeout_seconds,
        batches_at_once=(
            config.batch.accumulation if config.batch.packing == "none" else config.samples_per_step
        ),
        kept=vision.store if vision is not None else None,
        while_waiting=while_waiting,
    )


def announce(setup: Setup, progress: Progress, start: StartingPoint) -> None:
    """Say how long the run is and from where it goes on."""
    write, plan = setup.recorder.write, setup.plan
    progress.total_steps = setup.total_steps
    if setup.run.attempt > 1 or start.folder is not None:
        name = start.folder.name if start.folder else None
        write(Resumed(step=progress.step, checkpoint=name))
    write(
        Planned(
            total_steps=setup.total_steps,
            steps_per_epoch=plan.steps_per_epoch,
            records=len(setup.train_data),
            validation_records=len(setup.validation_data),
            samples_per_step=setup.config.samples_per_step,
        )
    )
    if setup.accelerator.device.type == "cpu":
        message = f"no GPU is used: training on the CPU with {progress.threads} threads"
        write(Notice(topic="device", message=message))
    visible, used = torch.cuda.device_count(), setup.ranks.count
    if visible > used and setup.accelerator.device.type == "cuda":
        message = f"{visible} GPUs are visible; the run uses {used} (training.ranks)"
        write(Notice(topic="device", message=message))
    if setup.layout is not None:
        write(Notice(topic="packing", message=packing_notice(setup, setup.layout)))
    if progress.ranks not in (0, used):
        message = f"{used} ranks now, {progress.ranks} before: the same samples, rounded otherwise"
        write(Notice(topic="ranks", message=message, step=progress.step))
    progress.ranks = used
    warmup = setup.config.schedule.warmup_steps
    if setup.config.schedule.warmup_ratio is None and warmup >= setup.total_steps:
        message = f"the warm-up of {warmup} steps is longer than the run; it is cut to fit"
        write(Notice(topic="schedule", message=message))


def packing_notice(setup: Setup, layout: Layout) -> str:
    """Say how samples share micro-batches, and how attention keeps them apart."""
    limit = f"at most {layout.limit.tokens} tokens and {layout.limit.patches} patches"
    if not layout.packed:
        return f"micro-batches hold samples of similar length, {limit} with padding"
    dtype = DTYPES[setup.config.model.dtype]
    attention = packed_attention(setup.model, dtype, setup.accelerator.device)
    return f"micro-batches are rows of samples without padding, {limit}; attention: {attention}"
