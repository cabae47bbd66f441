"""Run an evaluation of the loop: events, files, best so far."""

from collections.abc import Iterator
from dataclasses import asdict
from functools import partial

from trainer.data.batch import Batch, Totals
from trainer.run.events import Evaluation, Notice, Phase, SamplePrediction
from trainer.train.evaluate import evaluate, predict_samples
from trainer.train.final import write_validation
from trainer.train.progress import Progress
from trainer.train.requests import Requests
from trainer.train.setup import Setup
from trainer.train.side_files import write_side_file
from trainer.train.skipped import record_skipped, report_edits
from trainer.train.waiting import until_stopped


class Abandoned(Exception):
    """A stop was asked for in the middle of an evaluation."""


def validate(setup: Setup, progress: Progress, requests: Requests) -> None:
    """Validate the model as it is now, answer a few records, and record both.

    A stop request ends it without a result; the next attempt makes up for it.
    """
    write = setup.recorder.write
    if not len(setup.validation_data):
        write(Notice(topic="evaluation", message="there is no data.validation to validate on"))
        return
    write(Phase(name="evaluate", state="started", total=len(setup.validation_data), unit="records"))
    try:
        seconds = _validate(setup, progress, requests)
    except Abandoned:
        message = f"the validation of step {progress.step} is left for the next attempt"
        write(Notice(topic="evaluation", message=message, step=progress.step))
        seconds = None
    write(Phase(name="evaluate", state="finished", seconds=seconds, unit="records"))


def _validate(setup: Setup, progress: Progress, requests: Requests) -> float:
    """Return the seconds the metrics took; raises Abandoned."""
    write, config = setup.recorder.write, setup.config
    metrics = evaluate(setup.forward, setup.ranks, _reported(setup, progress, requests))
    predictions = _answers(setup, progress, requests) if setup.ranks.is_first else []
    leave_if_asked(requests)
    fields = asdict(metrics)
    best = progress.note_evaluation(fields, config.evaluation.early_stopping_min_improvement)
    for event in (Evaluation(step=progress.step, **fields, best=best), *predictions):
        write(event)
    if setup.ranks.is_first:
        results = partial(write_validation, setup.run.layout, progress, setup.run.attempt)
        write_side_file(setup, "validation_results.json", results)
    return metrics.seconds


def _answers(setup: Setup, progress: Progress, requests: Requests) -> list[SamplePrediction]:
    """Answer a few records by generation, for as long as nobody wants the run to stop."""
    config, predictions = setup.config, list[SamplePrediction]()
    singles = setup.validation_singles(config.evaluation.generated_samples)
    waited = (it for it in until_stopped(singles, requests, setup.pool) if it is not None)
    for prediction in predict_samples(setup.forward, waited, config.generation, progress.step):
        predictions.append(prediction)
        requests.listen()
        if requests.heard.stop:
            break
    return predictions


def _reported(setup: Setup, progress: Progress, requests: Requests) -> Iterator[Batch]:
    """Yield a share of the validation set; between batches, tell and ask what there is to know."""
    done, total = 0, len(setup.validation_data)
    for batch in until_stopped(setup.validation_batches(), requests, setup.pool):
        leave_if_asked(requests)
        if batch is not None:
            yield batch
        totals = setup.totals_of_all(Totals() if batch is None else Totals.of(batch))
        done += totals.samples + len(totals.skipped)
        record_skipped(setup, "validation", totals.skipped, progress.step)
        report_edits(setup, totals.notes, progress.step)
        setup.recorder.write(
            Phase(name="evaluate", state="progress", done=done, total=total, unit="records")
        )


def leave_if_asked(requests: Requests) -> None:
    """Raise Abandoned when somebody wants the run to stop."""
    requests.poll()
    if requests.stop:
        raise Abandoned
