"""Look at single records exactly as training reads them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from trainer.data.build import Split
from trainer.data.errors import DataRefused, RecordError, Source
from trainer.data.order import Plan, permutation
from trainer.data.packing import Size
from trainer.data.samples import Sample, Skipped
from trainer.data.variation import OBJECT_DROPPED
from trainer.data.worker import Request
from trainer.inspect.images import seen_images, stored_images
from trainer.inspect.inspection import Batch, Counts, Group, Inspection, Place, ShownImage
from trainer.inspect.opened import Opened
from trainer.inspect.tokens import count_tokens, token_runs


@dataclass(frozen=True, eq=False)
class Inspector:
    """Turns record numbers into what is to be seen of them.

    The samples are those of the training's own builder: the labels shown are the labels trained.
    """

    opened: Opened

    def inspect(self, name: str, number: int, epoch: int) -> Inspection:
        """Return what is to be seen of a record, in the sample that it is part of.

        Args:
            name: Of the split.
            number: Of the record, from 0.
            epoch: Of training, from 0; validation knows none.

        Raises:
            DataChanged: A file is no longer the one that was indexed.

        """
        split = self.opened.split(name)
        when = epoch if name == "train" else None
        sample_number = split.grouping.sample_of(number, when)
        request = Request(name, (sample_number,), when)
        sample, holes = self.opened.lenient.sample(request, sample_number)
        too_long = sample is None
        if too_long:
            sample, _ = self.opened.roomy.sample(request, sample_number)
        seen = self._blank(split, number, request)
        seen = self._with_holes(seen, split.records.dataset.source(number), holes, request)
        if sample is None:
            return replace(seen, images=self._images_of_one(split, number))
        seen = self._with_sample(seen, request, sample)
        return seen if too_long else replace(seen, batch=self._batch(request, seen))

    # --- the record and its sample ------------------------------------------------------------

    def _blank(self, split: Split, number: int, request: Request) -> Inspection:
        dataset = split.records.dataset
        members = split.grouping.members(request.samples[0], request.epoch)
        written = split.records.formats[dataset.file_number(number)].name
        summarised = split.grouping.summarised(request.samples[0], request.epoch)
        group = None
        if written == "dense":
            mode = "summary" if summarised else "dense"
            group = Group(mode=mode, records=tuple(it + 1 for it in members))
        return Inspection(
            split=request.split,
            record=number + 1,
            records=len(dataset),
            epoch=request.epoch,
            format=written,
            place=_place(split, number),
            problem=None,
            refused=False,
            notes=(),
            max_length=self.opened.encoder.options.max_length,
            counts=Counts(),
            runs=(),
            images=(),
            group=group,
        )

    def _with_holes(
        self, seen: Inspection, source: Source, holes: Sequence[Skipped], request: Request
    ) -> Inspection:
        """Say which records are left out of the sample, this one above all."""
        own = next((hole.reason for hole in holes if hole.source == source), None)
        others = [hole for hole in holes if hole.source != source]
        missing = tuple(f"left out of the group: {it.source}: {it.reason}" for it in others)
        refused = bool(holes) and self._is_refused(request)
        return replace(seen, problem=own, refused=refused, notes=missing)

    def _is_refused(self, request: Request) -> bool:
        try:
            self.opened.builder.sample(request, request.samples[0])
        except DataRefused:
            return True
        return False

    def _with_sample(self, seen: Inspection, request: Request, sample: Sample) -> Inspection:
        split = self.opened.split(request.split)
        variation = self.opened.builder.variation(request, request.samples[0])
        grids = [] if sample.image_grid_thw is None else sample.image_grid_thw.tolist()
        rule = self.opened.encoder.picture_rule
        visual_tokens = [int(np.prod(grid)) // rule.merge**2 for grid in grids]
        runs = token_runs(
            sample, self.opened.encoder.backend_tokenizer, visual_tokens, seen.max_length
        )
        stored = [
            image
            for number in split.grouping.members(request.samples[0], request.epoch)
            if split.records.dataset.source(number) in sample.sources
            for image in stored_images(split.records[number], number, self.opened.encoder)
        ]
        return replace(
            seen,
            runs=runs,
            counts=count_tokens(runs),
            notes=(*seen.notes, *(it for it in sample.notes if it != OBJECT_DROPPED)),
            images=seen_images(stored, sample, rule, variation),
        )

    def _images_of_one(self, split: Split, number: int) -> tuple[ShownImage, ...]:
        """The images of a record that makes no sample, as far as they can be decoded."""
        try:
            record = split.records[number]
        except RecordError:  # it is the problem that is told
            return ()
        return tuple(it.shown for it in stored_images(record, number, self.opened.encoder))

    # --- where the sample is trained ----------------------------------------------------------

    def _batch(self, request: Request, seen: Inspection) -> Batch | None:
        """The step that trains a sample, None for validation."""
        plan = self.opened.plan
        if request.epoch is None or plan is None:
            return None
        order = permutation(plan.samples, plan.seed, request.epoch, plan.data_sha256)
        place = int(np.flatnonzero(order == request.samples[0])[0])
        window = request.epoch * plan.steps_per_epoch + place // (
            plan.batch_size * plan.accumulation
        )
        micro_batches = self._micro_batches(plan, window, request.epoch)
        index = next(it for it, batch in enumerate(micro_batches) if request.samples[0] in batch)
        beside = Request("train", micro_batches[index], request.epoch)
        return Batch(
            step=window + 1,
            micro_batch=index + 1,
            samples=len(beside.samples),
            padding=self._longest(beside, seen.counts.tokens) - seen.counts.tokens,
        )

    def _micro_batches(self, plan: Plan, window: int, epoch: int) -> Sequence[tuple[int, ...]]:
        """The samples of each micro-batch of a step; where they are packed, without the holes."""
        layout = self.opened.layout
        if layout is None:
            return plan.micro_batches(window)
        sizes: dict[int, Size] = {}
        for sample in plan.samples_of(window):
            built = self.opened.lenient(Request("train", (sample,), epoch))
            if built.lengths:
                sizes[sample] = Size(sum(built.lengths), built.patch_count)
        samples = list(sizes)
        groups = layout.places(list(sizes.values()))
        return [tuple(samples[place] for place in group) for group in groups]

    def _longest(self, request: Request, tokens: int) -> int:
        """The tokens that the samples of a micro-batch are padded to."""
        layout = self.opened.layout
        if len(request.samples) == 1 or (layout is not None and layout.packed):
            return tokens
        return self.opened.lenient(request).input_ids.shape[1]


def _place(split: Split, number: int) -> Place:
    source = split.records.dataset.source(number)
    return Place(
        file=source.file,
        line=source.line,
        offset=source.offset,
        size_bytes=split.records.dataset.record_bytes(number),
    )
