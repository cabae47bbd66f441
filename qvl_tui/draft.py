"""What a person has stated so far about a run that is to begin, and what is wrong with it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from trainer.config.differences import SETTLED_BY_LOADING, default_values, flat_values
from trainer.config.documents import Origin, Setting, Settings, read_settings
from trainer.config.errors import ConfigError, ModelMissing
from trainer.config.layers import EXTENDS, known_settings, preset_names, read_overrides
from trainer.config.load import load_config
from trainer.config.options import Option, options, sections
from trainer.config.paths import MODEL, check_model, with_absolute_paths
from trainer.config.schema import RunConfig
from trainer.run.layout import RunLayout
from trainer.run.regular import is_file, is_there

RUN_CONFIG = RunLayout(Path()).config.name
FIRST_BASE = "balanced"  # states nothing but the defaults
STAND_INS: dict[str, object] = {"model.path": "unknown/model", "data.train": ("/unknown.jsonl",)}
KEPT = ("model.path", "data.train", "data.validation")  # when another file is loaded
NAMES = re.compile(r"\w+(\s*,\s*\w+)+,?")
NUMBERED = re.compile(r"(.*?)-(\d+)")


@dataclass(frozen=True)
class Draft:
    """A preset or file, and what was typed over it: texts by key."""

    base: str = FIRST_BASE
    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    called: str = ""  # what its run's name is made of; empty: the base

    def with_text(self, key: str, text: str) -> "Draft":
        """Return the draft with one more text; an empty one takes the key back."""
        others = {name: it for name, it in self.texts.items() if name != key}
        return replace(self, texts={**others, key: text} if text else others)

    def overrides(self) -> list[str]:
        """Return what was typed as `key.path=value` arguments of `qvl`."""
        return [override_of(options()[key], text) for key, text in self.texts.items()]


@dataclass(frozen=True)
class Verdict:
    """What a draft amounts to."""

    config: RunConfig | None  # None: it does not stand yet
    values: dict[str, object]  # of every option; what is typed wrong has the base's
    base_values: dict[str, object]  # what holds where nothing is typed
    defaults: dict[str, object]
    problems: dict[str, str]  # by key
    further: tuple[str, ...] = ()  # problems that belong to no option

    @property
    def problem_count(self) -> int:
        """How many problems there are."""
        return len(self.problems) + len(self.further)

    def differs(self, key: str) -> bool:
        """Whether an option is not at its default."""
        settled = key in SETTLED_BY_LOADING
        return not settled and self.values.get(key) != self.defaults.get(key)


def judge(draft: Draft, runs: Path) -> Verdict:
    """Return what a draft amounts to, every problem at its option."""
    found: list[str] = []
    config = None
    try:
        config = load_config(draft.base, draft.overrides())
    except ConfigError as error:
        found = error.problems
    except ModelMissing as error:
        found = [str(error)]
    problems, further = sorted_problems(found)
    if wrong := _problem_with_model(draft):
        problems.setdefault("model.path", wrong)
    base = _base_config(draft)
    base_values = flat_values(base) if base else {key: it.default for key, it in options().items()}
    for key, stand_in in STAND_INS.items():
        if base_values[key] == stand_in:
            base_values[key] = None
    base_values["name"] = fresh_name(runs, draft.called or Path(draft.base).stem)
    name = draft.texts.get("name")
    if name and is_there(runs / name):
        problems.setdefault("name", f"there is a run {name} already; choose another name")
    values = flat_values(config) if config else base_values | _readable(draft, problems)
    return Verdict(
        config=None if problems else config,
        values={**values, "name": name or base_values["name"]},
        base_values=base_values,
        defaults=default_values(known) if (known := config or base) else base_values,
        problems={key: problems[key] for key in options() if key in problems},
        further=further,
    )


def _base_config(draft: Draft) -> RunConfig | None:
    """Return the configuration without what was typed, but for the model, which sets defaults."""
    stated = [f"{key}={draft.texts[key]}" for key in ("model.path",) if key in draft.texts]
    for _ in range(2):
        try:
            return load_config(draft.base, stated, files_must_exist=False)
        except ConfigError as error:
            problems, _further = sorted_problems(error.problems)
            missing = {key: it for key, it in STAND_INS.items() if key in problems}
            stated += [f"{key}={text_of(options()[key], it)}" for key, it in missing.items()]
        except ModelMissing:
            return None
    return None


def _problem_with_model(draft: Draft) -> str | None:
    """Return what is wrong with the model that was typed; loading tells it last of all."""
    settings = with_absolute_paths(known_settings(read_overrides(draft.overrides(), []), []))
    try:
        if MODEL in settings:
            check_model(settings[MODEL])
    except ModelMissing as error:
        return located(str(error))[1]
    return None


def _readable(draft: Draft, problems: Mapping[str, str]) -> dict[str, object]:
    """Return the typed values with which nothing is wrong in itself."""
    settings = read_overrides(draft.overrides(), [])
    values = {".".join(key): setting.value for key, setting in settings.items()}
    return {
        key: tuple(it) if isinstance(it, list) else it
        for key, it in values.items()
        if key not in problems and key in options()
    }


# --- problems ---------------------------------------------------------------------------------


def sorted_problems(found: list[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return problems by the option they belong to, and those that belong to none."""
    by_key: dict[str, str] = {}
    further: list[str] = []
    for problem in found:
        key, what = located(problem)
        if key is None:
            further.append(what)
        else:
            by_key.setdefault(key, what)
    return by_key, tuple(further)


def located(problem: str) -> tuple[str | None, str]:
    """Return the option that a problem `place:key: what` belongs to, and what is wrong."""
    places = [
        (match.start(), name, match.end())
        for name in (*options(), *sections())
        if (match := re.search(rf"(?:^|:){re.escape(name)}: ", problem))
    ]
    if not places:
        return _mentioned(problem, ""), problem
    _, name, end = min(places)
    what = problem[end:]
    return (name if name in options() else _mentioned(what, f"{name}.")), what


def _mentioned(text: str, prefix: str) -> str | None:
    """Return the first option that a text speaks of."""
    words = re.findall(r"[a-z_]+[a-z_0-9]*(?:\.[a-z_0-9]+)*", text)
    return next((prefix + word for word in words if prefix + word in options()), None)


# --- values as text ---------------------------------------------------------------------------


def text_of(option: Option, value: object) -> str:
    """Return a value as it is typed into a field."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if option.kind == "list of groups":
        return _quoted(value)
    if isinstance(value, list | tuple):
        entries = [str(entry) for entry in value]
        plain = entries and not any("," in it or it.startswith("[") for it in entries)
        return ", ".join(entries) if plain else _quoted(entries)
    text = str(value)
    if option.kind in ("text", "folder") and (not text.isprintable() or text[:1] in "'\" "):
        return _quoted(text)
    return text


def override_of(option: Option, text: str) -> str:
    """Return a typed text as the argument that sets the option."""
    return f"{option.key}={_yaml_of(option, text)}"


def _yaml_of(option: Option, text: str) -> str:
    if option.kind in ("files", "list"):
        return text if text.startswith("[") or text == "null" else _quoted(_pieces(text))
    if option.kind == "list or text":
        if text.startswith("[") and text.endswith("]"):
            return text
        return _quoted(_pieces(text) if NAMES.fullmatch(text) else text)
    if option.kind in ("text", "folder"):
        return text
    return text.strip()


def _quoted(value: object) -> str:
    """Return text or a list of texts as JSON, which is YAML too as long as nothing is escaped."""
    return json.dumps(value, ensure_ascii=False)


def _pieces(text: str) -> list[str]:
    if is_file(Path(text)):
        return [text]
    return [piece.strip() for piece in text.split(",") if piece.strip()]


# --- files ------------------------------------------------------------------------------------


def draft_of(source: str | Path) -> Draft:
    """Return the draft that a preset, a named configuration or a run's config.yaml makes.

    A file that extends another keeps that one as its base. Raises ConfigError.
    """
    if str(source) in preset_names():
        return Draft(str(source))
    path = Path(source).absolute()
    problems: list[str] = []
    settings = _settings_of(path, problems)
    extends = settings.pop(EXTENDS, None)
    settings.pop(("name",), None)
    settings = with_absolute_paths(known_settings(settings, problems))
    if problems:
        raise ConfigError(problems)
    called = path.parent.name if path.name == RUN_CONFIG else path.stem
    draft = Draft(_base_of(extends), _texts_of(settings), called)
    return _without_what_holds_anyway(draft)


def loaded_over(draft: Draft, source: str) -> Draft:
    """Return a draft after a preset was put under what was typed, or a file in place of it.

    Raises ConfigError.
    """
    loaded, typed = draft_of(source), draft.texts
    if source not in preset_names():
        typed = {key: text for key, text in typed.items() if key in KEPT}
    return Draft(loaded.base, {**typed, **loaded.texts}, loaded.called or loaded.base)


def _settings_of(path: Path, problems: list[str]) -> Settings:
    origin = Origin(str(path), path.parent)
    try:
        return read_settings(path.read_text(encoding="utf-8-sig"), origin, problems)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([origin.problem("", f"cannot be read ({error})")]) from error


def _base_of(extends: Setting | None) -> str:
    if extends is None:
        return FIRST_BASE
    stated = str(extends.value)
    beside = extends.origin.folder / stated
    return str(beside) if stated not in preset_names() or is_file(beside) else stated


def _texts_of(settings: Settings) -> dict[str, str]:
    stated = {".".join(key): setting.value for key, setting in settings.items()}
    return {key: text_of(options()[key], value) for key, value in stated.items()}


def _without_what_holds_anyway(draft: Draft) -> Draft:
    """Return the draft without texts that say what its base says."""
    base = _base_config(draft)
    if base is None:
        return draft
    holds = {key: text_of(options()[key], it) for key, it in flat_values(base).items()}
    kept = {
        key: text for key, text in draft.texts.items() if key in STAND_INS or holds[key] != text
    }
    return replace(draft, texts=kept)


def yaml_of(draft: Draft) -> str:
    """Return the draft as a short file: what it extends, and what differs; paths absolute.

    Raises:
        ConfigError: Something that was typed cannot be read.

    """
    problems: list[str] = []
    settings = with_absolute_paths(
        known_settings(read_overrides(draft.overrides(), problems), problems)
    )
    if problems:
        raise ConfigError(problems)
    nested: dict[str, Any] = {"extends": draft.base}
    for key, setting in settings.items():
        place = nested
        for part in key[:-1]:
            place = place.setdefault(part, {})
        place[key[-1]] = setting.value
    return yaml.safe_dump(nested, sort_keys=False, allow_unicode=True, width=2**20)


def fresh_name(runs: Path, name: str) -> str:
    """Return a name that no run has: `name`, else `name-2` and so on."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("._-")[:90] or "run"
    match = NUMBERED.fullmatch(name)
    stem, number = (match[1], int(match[2])) if match and match[1] else (name, 1)
    while is_there(runs / name):
        number += 1
        name = f"{stem}-{number}"
    return name
