"""Whatever a file or the command line holds, only a ConfigError comes out."""

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from trainer.config.errors import ConfigError, ModelMissing
from trainer.config.load import load_config
from trainer.config.options import options, sections

QUIET = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
KEYS = st.sampled_from([*options(), *sections(), "extends"]).map(lambda key: key.split(".")[-1])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["fast", "run.yaml", "~", "~\0", "1e400", "9" * 5000, 10**400])
)
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4)
)
YAML_WORDS = st.lists(
    st.sampled_from(
        [
            *"{}[]:,&*!|>-?#%@`'\"=~<\n \t",
            "seed",
            "model",
            "path",
            "<<",
            "!!int",
            "0b_",
            "1:2",
            "...",
        ]
    ),
    max_size=30,
).map("".join)


def attempt(path: Path, overrides: tuple[str, ...] = ()) -> None:
    problems = ["none"]
    try:
        load_config(path, overrides)
    except ConfigError as error:
        problems = error.problems
    except ModelMissing as error:
        problems = [str(error)]
    assert problems
    assert all(problem.isprintable() for problem in problems)


@QUIET
@given(st.binary(max_size=200))
@example(b"\xef\xbb\xbf")
@example(b"a: !!int ''")
@example(b"a: 2024-99-99")
@example(b"? [a]\n: b")
@example(b"seed: " + b"{a: " * 2000)
def test_bytes_are_refused_as_problems(tmp_path: Path, content: bytes):
    (tmp_path / "run.yaml").write_bytes(content)
    attempt(tmp_path / "run.yaml")


@QUIET
@given(st.text() | YAML_WORDS)
def test_text_is_refused_as_problems(tmp_path: Path, content: str):
    (tmp_path / "run.yaml").write_text(content, encoding="utf-8", errors="replace")
    attempt(tmp_path / "run.yaml")


@QUIET
@given(st.dictionaries(st.sampled_from([*sections(), "name", "seed", "extends"]), TREES))
def test_values_of_every_kind_are_refused_as_problems(tmp_path: Path, tree: dict[str, object]):
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(tree, allow_unicode=True), encoding="utf-8")
    attempt(tmp_path / "run.yaml")


@QUIET
@given(st.sampled_from([*options(), "", ".", "model", "a.b.c"]), st.text() | YAML_WORDS)
def test_overrides_are_refused_as_problems(tmp_path: Path, key: str, value: str):
    (tmp_path / "run.yaml").write_text("model: {path: a/b}\ndata: {train: run.yaml}\n")
    attempt(tmp_path / "run.yaml", (f"{key}={value}", value))


@pytest.mark.parametrize("source", ["", ".", "..", "\0", "a\0.yaml", "~x", "\ud800", "x" * 5000])
def test_a_source_that_is_no_file_name_is_refused_as_a_problem(source: str):
    with pytest.raises(ConfigError):
        load_config(source)
