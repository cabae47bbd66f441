"""A dumped configuration is complete and loads as the same one."""

import math
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trainer.config.differences import flat_values
from trainer.config.load import dump_config, load_config
from trainer.config.options import options

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=()), max_size=40)
FLOATS = st.floats(1e-300, 1e300, allow_nan=False)
VALUES = {
    "name": st.none() | st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True),
    "seed": st.integers(0, 2**63 - 1),
    "model.path": st.sampled_from(["a/b", "gpt2", "Qwen/X-Thinking", "x/y-Base"]),
    "model.revision": st.none() | TEXT,
    "model.cache_dir": st.none() | TEXT,
    "model.adapter": st.none() | TEXT,
    "data.train": st.lists(TEXT, min_size=1, max_size=3),
    "data.validation": st.lists(TEXT, max_size=3),
    "data.prompt_template": TEXT.filter(lambda t: "{prompt}" not in t).map(
        lambda t: f"{t}{{prompt}}{t}{{response}}"
    ),
    "data.max_pixels": st.none() | st.integers(1),
    "tune.targets": st.lists(TEXT, max_size=4) | TEXT,
    "tune.alpha": FLOATS,
    "optimizer.learning_rate": FLOATS,
    "optimizer.epsilon": FLOATS,
    "optimizer.vision_learning_rate": st.none() | FLOATS,
    "supervision.on_exit": st.none() | TEXT,
    "training.log_with": st.lists(st.sampled_from(["tensorboard", "wandb"]), max_size=2),
}


def nested(values: dict[str, object]) -> dict[str, object]:
    tree: dict[str, dict[str, object] | object] = {}
    for key, value in values.items():
        section, _, leaf = key.rpartition(".")
        group = tree.setdefault(section, {}) if section else tree
        assert isinstance(group, dict)
        group[leaf] = value
    return tree


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.fixed_dictionaries({}, optional=VALUES))
def test_a_dumped_configuration_loads_as_an_equal_one(tmp_path: Path, stated: dict[str, object]):
    stated = {"model.path": "a/b", "data.train": ["x"]} | stated
    path, dumped = tmp_path / "run.yaml", tmp_path / "elsewhere" / "config.yaml"
    dumped.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(nested(stated), allow_unicode=True), encoding="utf-8")
    config = load_config(path, files_must_exist=False)
    text = dump_config(config)
    dumped.write_text(text, encoding="utf-8")
    again = load_config(dumped, files_must_exist=False)
    assert again == config
    assert dump_config(again) == text
    for key in ("tune.alpha", "optimizer.learning_rate", "optimizer.epsilon"):
        if key in stated:
            assert flat_values(again)[key] == stated[key]


def test_a_dump_states_every_option_in_the_schemas_order_and_without_comments(tmp_path: Path):
    (tmp_path / "x.jsonl").write_text("")
    config = load_config("fast", ["model.path=a/b", f"data.train={tmp_path}/x.jsonl"])
    text = dump_config(config)
    assert list(flat_values(config)) == list(options())
    assert "#" not in text
    assert list(yaml.safe_load(text)) == list(config.model_dump())
    assert math.isclose(yaml.safe_load(text)["optimizer"]["epsilon"], 1e-8, rel_tol=0)


def test_a_dump_holds_nothing_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    for name in ("HF_TOKEN", "WANDB_API_KEY", "HF_HOME"):
        monkeypatch.setenv(name, "s3cret")
    overrides = ["model.path=a/b", "data.train=$HF_TOKEN.jsonl"]
    text = dump_config(load_config("fast", overrides, files_must_exist=False))
    assert "s3cret" not in text
    assert "$HF_TOKEN.jsonl" in text
