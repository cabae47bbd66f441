"""Write docs/config.md from the schema: `python -m trainer.config.reference > docs/config.md`."""

import json
import sys
from collections.abc import Iterable
from typing import Any

from pydantic import AfterValidator
from pydantic.fields import FieldInfo

from trainer.config.augmentation import OPERATIONS, Within
from trainer.config.options import Option, options, sections
from trainer.config.variants import VARIANT_DEFAULTS

HEAD = """\
# Configuration

Generated from the schema by `python -m trainer.config.reference`; do not edit it by hand.

A run is one YAML file, or the name of a shipped preset (`qvl train balanced ...`):

```yaml
extends: balanced            # a file, or a shipped preset; optional

model:
  path: Qwen/Qwen3-VL-2B-Instruct
data:
  train: train.jsonl
  validation: [validation.jsonl]
```

- `extends` takes the other file's options underneath one's own; a list replaces a list. The other
  file may extend a third one. Its `name` is not taken.
- `key.path=value` on the command line overrides the file: `optimizer.learning_rate=1e-4`,
  `data.train=[a.jsonl,b.jsonl]`, `data.max_pixels=null`.
- A relative path starts from the folder of the file that states it, on the command line from the
  current directory; `~` is the home folder. `model.path` is a folder where there is one of that
  name or where it starts with `.`, `/` or `~`, and else a hub id.
- Unknown keys are refused, and all problems are reported at once.
- Anchors, aliases and tags of YAML are not read; dates stay text; `1e-4` is a number.
- The complete, resolved configuration is written to the run's `config.yaml`.
"""


def reference() -> str:
    """Return the reference page."""
    top = [option for option in options().values() if "." not in option.key]
    parts = [HEAD, _section("Top level", "A run as a whole.", top)]
    for name, about in sections().items():
        inside = [each for each in options().values() if each.key.rpartition(".")[0] == name]
        parts.append(_section(f"`{name}`", about, inside))
    return "\n".join([*parts, _variants()])


def _section(title: str, about: str, inside: Iterable[Option]) -> str:
    rows = ["| key | value | default | what it does |", "|---|---|---|---|"]
    rows += [_row(option) for option in inside]
    return f"## {title}\n\n{about}\n\n" + "\n".join(rows) + "\n"


def _row(option: Option) -> str:
    default = "**required**" if option.required else f"`{json.dumps(option.default)}`"
    cells = (f"`{option.key}`", option.allowed, default, option.description)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def operations() -> str:
    """Return a table of the augmentation's operations with their parameters, for its page."""
    lines = [
        "| operation | parameter | allowed | default | what it does |",
        "|---|---|---|---|---|",
    ]
    for name, kind in OPERATIONS.items():
        lines.append(f"| **{name}** | | | | {kind.__doc__} |")
        specs = kind.model_json_schema()["properties"]
        for parameter, field in kind.model_fields.items():
            if parameter not in ("name", "prob"):
                default = f"`{json.dumps(field.default)}`"
                limits = _limits(field, specs[parameter])
                cells = (f"`{parameter}`", limits, default, specs[parameter]["description"])
                lines.append(f"| | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _limits(field: FieldInfo, spec: dict[str, Any]) -> str:
    """Return what a parameter of an operation may be."""
    for check in field.metadata:
        if isinstance(check, AfterValidator) and isinstance(check.func, Within):
            return f"{check.func.least:g} to {check.func.most:g}"
    if "maximum" in spec:
        return f"{spec['minimum']} to {spec['maximum']}"
    if "minimum" in spec:
        return f"from {spec['minimum']} on"
    return ", ".join(spec.get("enum", ("true", "false")))


def _variants() -> str:
    lines = [
        "## Defaults by variant\n",
        "`model.variant` (read off the chat template, for a hub id off the name) changes these",
        "defaults; whatever a file, a preset or the command line states goes before.\n",
        "| variant | key | default |",
        "|---|---|---|",
    ]
    for variant, defaults in VARIANT_DEFAULTS.items():
        lines += [f"| {variant} | `{key}` | `{value}` |" for key, value in defaults.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(reference())
