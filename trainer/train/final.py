"""The result of a run: final/, final.zip and the validation results."""

import os
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import orjson

from trainer.config.schema import RunConfig
from trainer.run import durable
from trainer.run.layout import RunLayout
from trainer.train.progress import Progress

RESULTS_NAME = "validation_results.json"
LOG_NAME = "validation_log.txt"


def write_final(
    layout: RunLayout,
    config: RunConfig,
    progress: Progress,
    write_files: Callable[[Path], None],
    is_adapter: bool,
) -> int:
    """Replace final/ (and final.zip) by what `write_files` writes, and return its bytes.

    A run that was stopped is marked partial in the folder's README.md and run.json.
    """
    temporary = layout.root / f".final-{os.getpid()}"
    durable.remove_tree(temporary)
    try:
        temporary.mkdir()
        write_files(temporary)
        (temporary / "run.json").write_bytes(_summary(layout, progress))
        card = model_card(layout, config, progress, is_adapter)
        (temporary / "README.md").write_text(card, "utf-8")
        durable.sync_tree(temporary)
        if config.checkpoint.final_zip:
            _zip(temporary, layout.root / "final.zip")
        _replace(temporary, layout.final)
    except BaseException:
        durable.remove_tree(temporary)
        raise
    return sum(path.stat().st_size for path in layout.final.rglob("*") if path.is_file())


def is_partial(progress: Progress) -> bool:
    """Whether training ended before its last step without having meant to."""
    return progress.step < progress.total_steps and not progress.stopped_early


def _summary(layout: RunLayout, progress: Progress) -> bytes:
    summary = {
        "run": layout.name,
        "step": progress.step,
        "total_steps": progress.total_steps,
        "partial": is_partial(progress),
        "samples": progress.samples,
        "target_tokens": progress.target_tokens,
        "validation": progress.last_evaluation,
    }
    return orjson.dumps(summary, option=orjson.OPT_INDENT_2)


def _replace(new: Path, target: Path) -> None:
    """Put a folder in the place of another one."""
    old = target.with_name(f".{target.name}-old-{os.getpid()}")
    if target.exists():
        durable.rename(target, old)
    durable.rename(new, target)
    durable.remove_tree(old)


def _zip(folder: Path, target: Path) -> None:
    """Pack a folder; tensors hardly compress, so they are stored."""
    temporary = target.with_name(f".{target.name}-{os.getpid()}")
    try:
        with zipfile.ZipFile(temporary, "w") as archive:
            for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                archive.write(path, Path("final") / path.relative_to(folder))
        durable.sync_file(temporary)
        durable.rename(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def model_card(layout: RunLayout, config: RunConfig, progress: Progress, is_adapter: bool) -> str:
    """Return the README.md of the result."""
    evaluation = progress.last_evaluation
    loss, accuracy = evaluation.get("loss"), evaluation.get("token_accuracy")
    partial = "**Partial: the run was stopped.** " if is_partial(progress) else ""
    tune = config.tune
    return MODEL_CARD.format(
        name=layout.name,
        base=config.model.path,
        library="peft" if is_adapter else "transformers",
        partial=partial,
        step=progress.step,
        total=progress.total_steps,
        parts=f"vision {tune.vision}, aligner {tune.aligner}, language {tune.language}",
        rank=f"LoRA rank {tune.rank}, alpha {tune.alpha:g}." if is_adapter else "",
        loss="not measured" if loss is None else f"{loss:.4f} nats per token",
        accuracy="not measured" if accuracy is None else f"{accuracy:.4f}",
        use=_ADAPTER_USE if is_adapter else _MODEL_USE,
    )


MODEL_CARD = """\
---
base_model: {base}
library_name: {library}
pipeline_tag: image-text-to-text
---
# {name}

{partial}Step {step} of {total}. Trained: {parts}. {rank}

| validation | |
|---|---|
| loss | {loss} |
| token accuracy | {accuracy} |

{use}
`preprocessing.json` says which chat template, pixel limits and versions were used in training;
use the same for inference.
"""

_ADAPTER_USE = """\
```python
from peft import PeftModel
from transformers import AutoModelForImageTextToText

base = AutoModelForImageTextToText.from_pretrained(BASE_MODEL)
model = PeftModel.from_pretrained(base, "final/adapter")
```
"""

_MODEL_USE = """\
```python
from transformers import AutoModelForImageTextToText

model = AutoModelForImageTextToText.from_pretrained("final/model")
```
"""


def write_validation(layout: RunLayout, progress: Progress, attempt: int) -> None:
    """Replace validation_results.json and add a line to validation_log.txt."""
    metrics = progress.last_evaluation
    results = {f"eval_{name}": value for name, value in metrics.items()}
    results |= {"best_step": progress.best_step, "best_loss": progress.best_loss}
    content = orjson.dumps(results, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    durable.replace_file(layout.root / RESULTS_NAME, content)
    moment = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    values = "  ".join(f"{name} {_shown(value)}" for name, value in metrics.items())
    with (layout.root / LOG_NAME).open("a", encoding="utf-8") as log:
        log.write(f"{moment}  attempt {attempt}  {values}\n")


def _shown(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
