"""A draft turns typed texts into a configuration, and problems into places."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qvl_tui.draft import (
    FIRST_BASE,
    Draft,
    draft_of,
    fresh_name,
    judge,
    located,
    override_of,
    text_of,
    yaml_of,
)
from trainer.config.differences import config_differences, flat_values
from trainer.config.errors import ConfigError
from trainer.config.layers import preset_names
from trainer.config.load import dump_config, load_config
from trainer.config.model import LANGUAGE_TARGETS
from trainer.config.options import options


@pytest.fixture
def filled(tiny_checkpoint: Path, shapes: tuple[Path, Path]) -> Draft:
    draft = Draft().with_text("model.path", str(tiny_checkpoint))
    return draft.with_text("data.train", str(shapes[0]))


def test_the_first_base_states_nothing_but_defaults():
    stated = ["model.path=a/model", "data.train=x"]
    config = load_config(FIRST_BASE, stated, files_must_exist=False)
    assert set(config_differences(config)) == {"model.path", "data.train"}


def test_an_empty_draft_has_its_problems_at_their_options(tmp_path: Path):
    verdict = judge(Draft(), tmp_path)
    assert verdict.config is None
    assert set(verdict.problems) == {"model.path", "data.train"}
    assert verdict.further == ()
    assert verdict.values["model.path"] is verdict.values["data.train"] is None
    assert not any(verdict.differs(key) for key in options())


@pytest.mark.parametrize("preset", preset_names())
def test_every_preset_can_be_a_base(preset: str, tmp_path: Path):
    verdict = judge(Draft(preset), tmp_path)
    assert set(verdict.problems) == {"model.path", "data.train"}
    assert preset == FIRST_BASE or any(verdict.differs(key) for key in options())


def test_a_filled_draft_is_a_configuration(filled: Draft, tmp_path: Path):
    draft = filled.with_text("optimizer.learning_rate", "1e-4")
    draft = draft.with_text("tune.targets", "q_proj, v_proj")
    verdict = judge(draft, tmp_path)
    assert verdict.config is not None
    assert verdict.config.optimizer.learning_rate == 1e-4
    assert verdict.config.tune.targets == ("q_proj", "v_proj")
    assert [key for key in options() if verdict.differs(key)] == [
        *("model.path", "data.train", "tune.targets", "optimizer.learning_rate"),
    ]
    assert judge(draft.with_text("optimizer.learning_rate", ""), tmp_path).config is not None


def test_wrong_values_are_told_at_their_options_and_the_others_stay(filled: Draft, tmp_path: Path):
    draft = filled.with_text("batch.size", "none").with_text("training.epochs", "7")
    verdict = judge(
        draft.with_text("data.max_pixels", "5").with_text("data.min_pixels", "9"), tmp_path
    )
    assert set(verdict.problems) == {"batch.size", "data.min_pixels"}
    assert verdict.values["training.epochs"] == 7
    assert verdict.values["batch.size"] == 1


def test_problems_between_options_are_told_at_the_first_one_named(filled: Draft, tmp_path: Path):
    verdict = judge(filled.with_text("tune.language", "full"), tmp_path)
    assert "model.quantization is nf4" in verdict.problems["tune.language"]
    verdict = judge(filled.with_text("tune.language", "frozen"), tmp_path)
    assert "all frozen" in verdict.problems["tune.vision"]


def test_a_name_that_a_run_has_is_refused_and_a_fresh_one_proposed(filled: Draft, tmp_path: Path):
    (tmp_path / "balanced").mkdir()
    verdict = judge(filled, tmp_path)
    assert verdict.values["name"] == "balanced-2"
    verdict = judge(filled.with_text("name", "balanced"), tmp_path)
    assert "already" in verdict.problems["name"]
    assert verdict.config is None


def test_a_fresh_name_counts_on(tmp_path: Path):
    assert fresh_name(tmp_path, "a run: first!") == "a-run-first"
    (tmp_path / "shapes-2").mkdir()
    assert fresh_name(tmp_path, "shapes-2") == "shapes-3"
    assert fresh_name(tmp_path, "...") == "run"


@pytest.mark.parametrize(
    ("problem", "place"),
    [
        ("balanced:data.train: is missing; add it", ("data.train", "is missing; add it")),
        ("command line:batch.size: 0 is bad", ("batch.size", "0 is bad")),
        ("/a: b/c.yaml:17:batch.size: 0 is bad", ("batch.size", "0 is bad")),
        ("x:data: min_pixels 5 is above", ("data.min_pixels", "min_pixels 5 is above")),
        ("x.yaml:3: mapping values", (None, "x.yaml:3: mapping values")),
    ],
)
def test_a_problem_belongs_to_the_option_it_names(problem: str, place: tuple[str | None, str]):
    assert located(problem) == place


def test_texts_of_all_values_give_the_same_values_back(filled: Draft, tmp_path: Path):
    config = judge(filled, tmp_path).config
    assert config is not None
    values = {key: it for key, it in flat_values(config).items() if key != "model.variant"}
    stated = [
        override_of(options()[key], text_of(options()[key], it)) for key, it in values.items()
    ]
    assert load_config(FIRST_BASE, stated) == config


@settings(deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1)))
def test_any_paths_survive_the_way_through_a_field(names: list[str]):
    option = options()["data.train"]
    paths = [f"/no/such/{name.replace('/', '')}" for name in names] or ["/x"]
    stated = ["model.path=a/b", override_of(option, text_of(option, paths))]
    config = load_config(FIRST_BASE, stated, files_must_exist=False)
    assert [str(Path(it)) for it in config.data.train] == [str(Path(it)) for it in paths]


def test_a_cloned_run_makes_a_draft_of_what_differs(filled: Draft, tmp_path: Path):
    config = judge(
        filled.with_text("batch.size", "3").with_text("tune.targets", "all-linear"), tmp_path
    ).config
    assert config is not None
    run = tmp_path / "shapes-lora"
    run.mkdir()
    (run / "config.yaml").write_text(dump_config(config))
    draft = draft_of(run / "config.yaml")
    assert set(draft.texts) == {"model.path", "data.train", "batch.size", "tune.targets"}
    verdict = judge(draft, tmp_path)
    assert verdict.values["name"] == "shapes-lora-2"
    assert verdict.config is not None
    assert verdict.config.model_copy(update={"name": None}) == config.model_copy(
        update={"name": None}
    )


def test_a_saved_draft_is_read_back_as_it_was(filled: Draft, tmp_path: Path):
    draft = Draft("low-memory", {**filled.texts, "schedule.warmup_ratio": "0.1"})
    file = tmp_path / "mine.yaml"
    file.write_text(yaml_of(draft))
    again = draft_of(file)
    assert (again.base, dict(again.texts)) == (draft.base, dict(draft.texts))
    assert load_config(file) == load_config(draft.base, [*draft.overrides(), "name=mine"])


def test_a_half_filled_draft_can_be_saved_but_not_a_broken_one(tmp_path: Path):
    file = tmp_path / "half.yaml"
    file.write_text(yaml_of(Draft("fast").with_text("batch.size", "2")))
    assert draft_of(file) == Draft("fast", {"batch.size": "2"}, "half")
    with pytest.raises(ConfigError):
        yaml_of(Draft().with_text("batch.size", "[1"))


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path):
    file = tmp_path / "bad.yaml"
    file.write_text("batch: {sice: 2}\n")
    with pytest.raises(ConfigError, match="did you mean"):
        draft_of(file)
    with pytest.raises(ConfigError, match="cannot be read"):
        draft_of(tmp_path / "gone.yaml")


def test_targets_can_be_a_list_a_word_or_a_regular_expression():
    option = options()["tune.targets"]
    stated = ["model.path=a/b", "data.train=x"]
    for text, value in {
        "q_proj,v_proj": ("q_proj", "v_proj"),
        "all-linear": "all-linear",
        r".*\.layers\.[0-9]{1,2}\..*_proj": r".*\.layers\.[0-9]{1,2}\..*_proj",
        text_of(option, LANGUAGE_TARGETS): LANGUAGE_TARGETS,
    }.items():
        config = load_config(
            FIRST_BASE, [*stated, override_of(option, text)], files_must_exist=False
        )
        assert config.tune.targets == value
