"""What a run was told and what it found: options, parts, data, versions, as paragraphs."""

from collections.abc import Sequence
from dataclasses import dataclass

from trainer.run.layout import RunLayout
from trainer.run.state import RunState
from trainer.run.text import sanitise
from trainer.words.numbers import count, size

HASH_CHARACTERS = 12
VALUE_CHARACTERS = 2_000


@dataclass(frozen=True)
class Entry:
    """One line: a key, its value, and what is worth saying beside it."""

    key: str
    value: str
    remark: str = ""


@dataclass(frozen=True)
class Paragraph:
    """A title and what belongs under it."""

    title: str
    entries: tuple[Entry, ...]


def option_paragraphs(layout: RunLayout) -> list[Paragraph]:
    """Return what the configuration changes, then all of it; reads and checks config.yaml."""
    # Imported in the thread that reads: the schema takes its time.
    from trainer.config.differences import config_differences, flat_values
    from trainer.config.errors import ConfigError
    from trainer.config.load import load_config
    from trainer.config.options import options

    try:
        config = load_config(layout.config, files_must_exist=False)
    except (ConfigError, OSError) as error:
        problem = Entry("config.yaml", sanitise(str(error), VALUE_CHARACTERS))
        return [Paragraph("The configuration cannot be read", (problem,))]
    changed = tuple(
        Entry(
            key,
            shown_value(value),
            "" if options()[key].required else f"default {shown_value(default)}",
        )
        for key, (default, value) in config_differences(config).items()
    )
    title = f"Changed from the defaults ({len(changed)})"
    return [Paragraph(title, changed), *_sections(flat_values(config))]


def _sections(values: dict[str, object]) -> list[Paragraph]:
    sections: dict[str, list[Entry]] = {}
    for key, value in values.items():
        section = key.rpartition(".")[0] or "run"
        sections.setdefault(section, []).append(Entry(key, shown_value(value)))
    return [Paragraph(title, tuple(entries)) for title, entries in sections.items()]


def found_paragraphs(state: RunState) -> list[Paragraph]:
    """Return what the run found out: parts of the model, plan, data files, versions."""
    paragraphs = [
        Paragraph("What is trained", tuple(_part_entries(state))),
        Paragraph("Plan", tuple(_plan_entries(state))),
        Paragraph("Data files", tuple(_data_entries(state))),
        Paragraph("Machine and versions", tuple(_version_entries(state))),
    ]
    return [it for it in paragraphs if it.entries]


def _part_entries(state: RunState) -> Sequence[Entry]:
    entries: list[Entry] = []
    for name, part in state.parts.items():
        trained = f"{count(part.trainable_parameters)} of {count(part.parameters)} parameters"
        tensors = (
            f"{count(part.frozen_tensors)} frozen, {count(part.lora_tensors)} LoRA, "
            f"{count(part.full_tensors)} full tensors"
        )
        stored = f", {count(part.quantized_layers)} quantised" if part.quantized_layers else ""
        entries.append(Entry(name, f"{part.mode}: {trained}", tensors + stored))
    return entries


def _plan_entries(state: RunState) -> Sequence[Entry]:
    plan = state.plan
    if plan is None:
        return ()
    return (
        Entry("steps", f"{count(plan.total_steps)}, {count(plan.steps_per_epoch)} an epoch"),
        Entry("samples per step", count(plan.samples_per_step)),
        Entry("records", f"{count(plan.records)}, {count(plan.validation_records)} to validate"),
    )


def _data_entries(state: RunState) -> Sequence[Entry]:
    return [
        Entry(
            it.split,
            sanitise(it.file, VALUE_CHARACTERS),
            f"{count(it.records)} records, {size(it.bytes)}, sha256 {digest}",
        )
        for it in state.data.values()
        for digest in (sanitise(it.sha256[:HASH_CHARACTERS], HASH_CHARACTERS),)
    ]


def _version_entries(state: RunState) -> Sequence[Entry]:
    started = state.current.started
    if started is None:
        return ()
    devices = ", ".join(sanitise(it, 80) for it in started.devices)
    machine = [Entry("devices", devices), Entry("threads", count(started.threads))]
    versions = [Entry(sanitise(k, 40), sanitise(v, 40)) for k, v in started.versions.items()]
    return [*machine, *versions]


def shown_value(value: object) -> str:
    """Return a value as YAML would have it on one line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {shown_value(it)}' for key, it in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(shown_value, value))}]"
    return sanitise(str(value), VALUE_CHARACTERS)
