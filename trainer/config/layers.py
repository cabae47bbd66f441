"""Put a file, what it extends and the command line on top of each other."""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from trainer.config.documents import Key, Origin, Setting, Settings, read_settings
from trainer.config.errors import ConfigError
from trainer.config.options import nearest_key, options, sections
from trainer.config.paths import absolute, is_file

EXTENDS: Key = ("extends",)
NAME: Key = ("name",)
SUFFIXES = (".yaml", ".yml")


def preset_names() -> list[str]:
    """Return the names of the shipped presets."""
    return sorted(path.stem for path in _presets().iterdir() if path.suffix == SUFFIXES[0])


def _presets() -> Path:
    return Path(str(files("configs")))


def find_source(source: str | Path) -> Path:
    """Return the file that a path or a preset's name stands for; raises ConfigError."""
    return _find(source, Origin(str(source), Path.cwd()), "")


def _find(source: str | Path, stated: Origin, key: Key | str) -> Path:
    path = Path(absolute(str(source), stated.folder))
    if is_file(path):
        return path.parent.resolve() / path.name
    if isinstance(source, str) and source in preset_names():
        return _presets() / f"{source}{SUFFIXES[0]}"
    presets = f"one of the presets {', '.join(preset_names())}"
    if path.suffix in SUFFIXES or "/" in str(source):
        what = f"no such file {path}; correct the path or name {presets}"
    else:
        what = f"no preset {str(source)!r}; name a .yaml file or {presets}"
    raise ConfigError([stated.problem(key, what)])


def read_layers(
    path: Path, problems: list[str], above: tuple[Path, ...] = ()
) -> tuple[Settings, bool]:
    """Return a file's settings over those of the file it extends, and whether all were read.

    Problems are added to the list. A name is not inherited: a run that extends another is
    another run.
    """
    origin = Origin(_shown(path), path.parent)
    settings: Settings = {}
    try:
        settings = read_settings(_text(path, origin), origin, problems)
        base = settings.pop(EXTENDS, None)
        if base is None:
            return settings, True
        extended = _extended(base, (*above, path))
    except ConfigError as error:
        problems += error.problems
        return settings, False
    under, complete = read_layers(extended, problems, (*above, path))
    under.pop(NAME, None)
    return under | settings, complete


def _extended(base: Setting, above: tuple[Path, ...]) -> Path:
    """Return the file that `extends` names; `above` are the files that lead to it."""
    if not isinstance(base.value, str):
        what = "is not one file; write one path or one preset's name"
        raise ConfigError([base.origin.problem(EXTENDS, what)])
    path = _find(base.value, base.origin, EXTENDS)
    if path in above:
        circle = " -> ".join(_shown(each) for each in (*above[above.index(path) :], path))
        raise ConfigError([base.origin.problem(EXTENDS, f"goes in a circle ({circle}); cut it")])
    return path


def _text(path: Path, origin: Origin) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        what = f"is not UTF-8 text (byte {error.start}); save it as UTF-8"
    except OSError as error:
        what = f"cannot be read ({error.strerror}); check the file"
    raise ConfigError([origin.problem("", what)])


def _shown(path: Path) -> str:
    """Return a file as a person in the current directory would call it."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def read_overrides(overrides: Sequence[str], problems: list[str]) -> Settings:
    """Return what `key.path=value` arguments state; problems are added to the list."""
    settings: Settings = {}
    origin = Origin("command line", Path.cwd())
    for override in overrides:
        name, equals, text = override.partition("=")
        if not equals or not name:
            what = f"{override!r} sets nothing; write key.path=value"
            problems.append(origin.problem("", what))
            continue
        try:
            settings |= _override(tuple(name.split(".")), text, origin, problems)
        except ConfigError as error:
            problems += error.problems
    return settings


def _override(key: Key, text: str, origin: Origin, problems: list[str]) -> Settings:
    """Return one override; for an option that is text, text is taken as it stands."""
    option = options().get(".".join(key))
    if option and option.kind in ("text", "folder") and not text.startswith(("'", '"')):
        missing = text in ("", "null", "~")
        return {key: Setting(None if missing and option.nullable else text, origin)}
    try:
        return read_settings(text, origin, problems, key)
    except ConfigError:
        what = f"{text!r} is not a YAML value; put text in quotes inside the shell's"
        raise ConfigError([origin.problem(key, what)]) from None


def known_settings(settings: Settings, problems: list[str]) -> Settings:
    """Return the settings that the schema knows; a problem is added for every other one."""
    known: Settings = {}
    for key, setting in settings.items():
        dotted = ".".join(key)
        if dotted in options() and key == tuple(dotted.split(".")):
            known[key] = setting
        elif dotted not in sections():
            problems.append(setting.origin.problem(key, _unknown(key)))
        elif setting.value is not None:
            what = "is a group of options; write its options below it"
            problems.append(setting.origin.problem(key, what))
    return known


def _unknown(key: Key) -> str:
    if ".".join(key[:-1]) in options():
        return f"unknown key, {'.'.join(key[:-1])} is a single value; remove what is below it"
    if len(key) == 1 and key[0] in options():
        section, _, leaf = key[0].partition(".")
        return f"unknown key; nest it: `{section}:`, and below it `{leaf}:`"
    if key == EXTENDS:
        return "cannot be set here; write it into a file"
    nearest = nearest_key(".".join(key))
    return f"unknown key; did you mean {nearest}?" if nearest else "unknown key; remove it"
