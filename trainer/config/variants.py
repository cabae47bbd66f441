"""Tell Instruct, Thinking and Base checkpoints apart and know what each wants by default."""

import json
import re
from pathlib import Path
from typing import Literal, cast

from trainer.config.errors import ModelMissing
from trainer.config.paths import is_file

Concrete = Literal["instruct", "thinking", "base"]

VARIANT_DEFAULTS: dict[Concrete, dict[str, int | float]] = {
    "instruct": {},
    "thinking": {"data.max_length": 4096, "generation.max_new_tokens": 300},
    "base": {
        "optimizer.learning_rate": 1e-4,
        "generation.max_new_tokens": 200,
        "generation.temperature": 0.8,
        "generation.top_p": 0.9,
    },
}


def detect_variant(path: str) -> Concrete:
    """Return the variant of a local checkpoint by its chat template, of any other by its name.

    Raises ModelMissing where a file of the checkpoint that should hold the template is damaged.
    """
    folder = Path(path)
    if not folder.is_absolute() or not is_file(folder / "config.json"):
        return variant_of_name(folder.name)
    template = chat_template(folder)
    if template is None:
        return "base"
    return "thinking" if opens_reasoning(template) else "instruct"


def variant_of_name(name: str) -> Concrete:
    """Return the variant that a checkpoint's name speaks of; instruct where it is silent."""
    words = re.split(r"[^a-z]+", name.lower())
    if "thinking" in words:
        return "thinking"
    return "base" if "base" in words else "instruct"


def opens_reasoning(template: str) -> bool:
    """Whether the generation prompt of a chat template leaves a `<think>` open.

    Looks at the template's text from its last use of `add_generation_prompt` on.
    """
    use = template.rfind("add_generation_prompt")
    if use < 0:
        return False
    start = max(template.rfind("{{", 0, use), template.rfind("{%", 0, use), 0)
    prompt = template[start:]
    return prompt.rfind("<think>") > prompt.rfind("</think>")


def chat_template(folder: Path) -> str | None:
    """Return the chat template that a checkpoint carries, None where it has none."""
    plain = folder / "chat_template.jinja"
    if is_file(plain):
        return plain.read_text(encoding="utf-8", errors="replace")
    for name in ("tokenizer_config.json", "chat_template.json"):
        if template := _default_template(folder / name):
            return template
    return None


def _default_template(path: Path) -> str | None:
    """Return the template in a JSON file; of a list of named ones that called default."""
    found = _json(path)
    template = _entry(found, "chat_template")
    if isinstance(template, list):
        named = cast("list[object]", template)
        defaults = (each for each in named if _entry(each, "name") == "default")
        template = _entry(next(defaults, None), "template")
    return str(template) if template else None


def _entry(found: object, key: str) -> object:
    """Return a JSON object's entry, None where there is none."""
    return cast("dict[str, object]", found).get(key) if isinstance(found, dict) else None


def _json(path: Path) -> object:
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        msg = f"{path}: cannot be read as JSON ({error}); fetch the checkpoint again"
        raise ModelMissing(msg) from None
