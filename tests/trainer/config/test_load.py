"""What a file, what it extends and the command line make together."""

from collections.abc import Callable
from pathlib import Path

import pytest

from trainer.config.load import ConfigError, ModelMissing, load_config

Write = Callable[..., Path]


def problems_of(source: str | Path, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(source, overrides)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems


def only_problem_of(source: str | Path, *overrides: str) -> str:
    problems = problems_of(source, *overrides)
    assert len(problems) == 1, problems
    return problems[0]


def test_a_minimal_file_gets_defaults_and_the_name_of_its_file(write: Write):
    config = load_config(write(name="first-try.yaml"))
    assert (config.name, config.tune.rank, config.samples_per_step) == ("first-try", 16, 4)
    assert config.model.variant == "instruct"
    assert not config.model_is_local


@pytest.mark.parametrize(
    ("file", "name"),
    [("my run (2).yaml", "my-run-2"), ("训练 a.yaml", "a"), ("x.y.yaml", "x.y"), ("_.yaml", None)],
)
def test_a_file_name_becomes_a_name_that_a_folder_can_have(
    write: Write, file: str, name: str | None
):
    assert load_config(write(name=file)).name == name


def test_numbers_without_a_dot_before_the_exponent_are_numbers(write: Write):
    config = load_config(write("optimizer: {learning_rate: 1e-4}\ntraining: {max_steps: 1e3}\n"))
    assert config.optimizer.learning_rate == 1e-4
    assert config.training.max_steps == 1000


@pytest.mark.parametrize("value", ["true", ".nan", ".inf", "-1", "abc", "[]", "{}", "null"])
def test_what_is_no_positive_number_is_refused_as_a_learning_rate(write: Write, value: str):
    path = write(f"optimizer: {{learning_rate: {value}}}\n")
    if value == "{}":
        assert load_config(path).optimizer.learning_rate == 2e-4
    else:
        assert ":5:optimizer.learning_rate: " in only_problem_of(path)


def test_all_problems_come_at_once_with_line_key_and_remedy(write: Write):
    write("optimizer:\n  lr: 1\n", name="under.yaml")
    path = write(
        "extends: under.yaml\n"
        "tune: {rank: 0, langage: full}\n"
        "batch: 5\n"
        "data.workers: 3\n"
        "name: 7\n"
        "evaluation: {batch_size: 4, batch_size: 5}\n"
        "seed: {a: 1}\n"
    )
    problems = problems_of(
        path, "nonsense", "lr=1", "model.dtype=fp16", "data.validation=[no.jsonl]"
    )
    said = "\n".join(problem.replace(f"{path.parent}/", "") for problem in problems)
    for expected in (
        "run.yaml:6:tune.rank: 0 is not allowed; give a whole number at least 1",
        "run.yaml:6:tune.langage: unknown key; did you mean tune.language?",
        "run.yaml:7:batch: is a group of options; write its options below it",
        "run.yaml:8:data.workers: unknown key; nest it: `data:`, and below it `workers:`",
        "run.yaml:9:name: 7 is not text; put it in quotes",
        "run.yaml:10:evaluation.batch_size: is stated in line 10 already; remove one of the two",
        "run.yaml:11:seed.a: unknown key, seed is a single value; remove what is below it",
        "under.yaml:6:optimizer.lr: unknown key; did you mean optimizer.learning_rate?",
        "command line: 'nonsense' sets nothing; write key.path=value",
        "command line:lr: unknown key; did you mean optimizer.learning_rate?",
        "command line:model.dtype: 'fp16' is not allowed; give one of bf16, fp32",
        "command line:data.validation: no such file",
    ):
        assert expected in said
    assert len(problems) == 12


def test_what_is_missing_is_said_with_its_meaning(write: Write):
    problems = problems_of(write("seed: 1\n", base=""))
    assert [problem.split(": ")[0].split(":")[-1] for problem in problems] == [
        "model.path",
        "data.train",
    ]
    assert "Training files" in problems[1]


def test_a_group_without_entries_is_left_at_its_defaults(write: Write):
    assert load_config(write("tune:\n  # rank: 8\nbatch: null\n")).tune.rank == 16


def test_options_that_contradict_each_other_are_refused_with_what_to_change(write: Write):
    problem = only_problem_of(write(), "tune.language=full")
    assert "tune.language is full but model.quantization is nf4; set" in problem
    assert "all frozen; set one" in only_problem_of(write(), "tune.language=frozen")
    compiled = ("model.compile=language", "batch.packing=pack")
    again = "model.activation_checkpointing"
    assert load_config(write(), [*compiled, f"{again}=vision"]).model.compile == "language"
    assert "packed rows cannot be" in only_problem_of(write(), *compiled, f"{again}=all")
    for limit in ("tokens", "patches"):
        problem = only_problem_of(write(), f"batch.{limit}=4096")
        assert f"batch.{limit} is set but batch.packing is none; set" in problem
        load_config(write(), [f"batch.{limit}=4096", "batch.packing=group"])


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (b"a: [1\n", 2, "mend the YAML"),
        (b"\xff\xfe\x00", None, "is not UTF-8 text (byte 0); save it as UTF-8"),
        (b"", None, "is empty"),
        (b"# nothing\n", None, "is empty"),
        (b"- a\n- b\n", None, "is not a mapping"),
        (b"just text\n", None, "is not a mapping"),
        (b"a: 1\n---\nb: 2\n", 2, "mend the YAML"),
        (b"seed: &x 1\nname: *x\n", 1, "anchors, aliases and tags are not read here"),
        (b"seed: !!python/object:os.system x\n", 1, "anchors, aliases and tags"),
        (b"seed: !!timestamp x\n", 1, "anchors, aliases and tags"),
        (b"seed: 0b_\n", 1, "put text in quotes"),
        (b"{[a]: 1}\n", 1, "has a key that is not text"),
        (b"a: " + b"[" * 3000, None, "is nested too deeply"),
        (b"a: \x07\n", None, "plain UTF-8 text"),
    ],
    ids=range(14),
)
def test_a_file_that_is_no_plain_yaml_mapping_is_refused_with_its_place(
    tmp_path: Path, text: bytes, line: int | None, said: str
):
    path = tmp_path / "bad.yaml"
    path.write_bytes(text)
    problem = problems_of(path)[0]
    assert problem.startswith(f"{path}:{line}:" if line else f"{path}: ")
    assert said in problem


def test_a_byte_order_mark_and_a_date_do_no_harm(write: Write):
    path = write(
        "name: 2024-13-45\n", base="\ufeffmodel: {path: a/b}\ndata: {train: train.jsonl}\n"
    )
    assert load_config(path).name == "2024-13-45"


def test_a_file_that_is_not_there_is_refused_with_the_presets(tmp_path: Path):
    assert "no such file" in only_problem_of(tmp_path / "none.yaml")
    assert "no such file" in only_problem_of(tmp_path)
    assert "no preset 'fasst'; name a .yaml file or one of the presets balanced, demo" in (
        only_problem_of("fasst")
    )
    assert "cannot" in only_problem_of("x" * 300 + ".yaml") or "no such file" in only_problem_of(
        "x" * 300 + ".yaml"
    )


def test_a_file_extends_another_and_lists_replace_lists(write: Write):
    write("name: under\nseed: 3\ntune: {rank: 8, alpha: 4, targets: [a, b]}\n", name="deep/a.yaml")
    write("extends: a.yaml\ntune: {alpha: 5}\n", name="deep/b.yaml", base="")
    config = load_config(
        write("extends: deep/b.yaml\ntune: {targets: [c]}\n"),
        ["tune.alpha=6"],
        files_must_exist=False,
    )
    assert (config.seed, config.tune.rank, config.tune.alpha) == (3, 8, 6.0)
    assert config.tune.targets == ("c",)
    assert config.name == "run"


def test_a_path_belongs_to_the_file_that_states_it(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for folder in ("deep", "here"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.jsonl").write_text("{}\n")
    write("", name="deep/a.yaml", base="data: {train: [x.jsonl], cache_dir: ../cache}\n")
    path = write("", base="extends: deep/a.yaml\nmodel: {path: a/b, cache_dir: ~/models}\n")
    monkeypatch.chdir(tmp_path / "here")
    config = load_config(path, ["data.validation=[x.jsonl, ./x.jsonl]"])
    assert config.data.train == (str(tmp_path / "deep/x.jsonl"),)
    assert config.data.cache_dir == str(tmp_path / "cache")
    assert config.model.cache_dir == str(Path.home() / "models")
    assert config.data.validation == (str(tmp_path / "here/x.jsonl"),) * 2


def test_a_path_that_goes_up_from_a_linked_folder_goes_where_the_system_goes(
    write: Write, tmp_path: Path
):
    write(name="real/deep/run.yaml", base="data: {train: ../x.jsonl}\nmodel: {path: a/b}\n")
    (tmp_path / "real/x.jsonl").write_text("{}\n")
    (tmp_path / "link").symlink_to(tmp_path / "real/deep")
    config = load_config(tmp_path / "link/run.yaml")
    assert config.data.train == (str(tmp_path / "real/x.jsonl"),)


def test_a_circle_of_extended_files_is_refused(write: Write):
    write("extends: run.yaml\n", name="b.yaml")
    problem = only_problem_of(write("extends: b.yaml\n"))
    assert ":5:extends: goes in a circle (" in problem


def test_an_extended_file_that_cannot_be_read_does_not_hide_other_problems(write: Write):
    path = write("extends: none.yaml\nseed: x\n", base="")
    problems = problems_of(path)
    assert len(problems) == 2
    assert ":1:extends: no such file" in problems[0]
    assert ":2:seed: 'x' is not allowed" in problems[1]
    assert "write one path" in only_problem_of(write("extends: [a, b]\n"))
    assert "cannot be set here" in only_problem_of(write(), "extends=fast")


def test_a_preset_is_a_source_and_can_be_extended(write: Write):
    path = write("extends: quality\n", name="mine.yaml")
    assert load_config(path).training.epochs == 5.0
    train = path.parent / "train.jsonl"
    config = load_config("fast", ["model.path=a/b", f"data.train={train}"])
    assert (config.name, config.training.epochs) == ("fast", 1.0)


def test_overrides_are_yaml_and_the_last_one_wins(write: Write):
    config = load_config(
        write(),
        [
            "seed=1",
            "seed=2",
            "tune={vision: lora, rank: 4}",
            "tune.targets=[q_proj]",
            "data.max_pixels=",
            "batch.largest_first=true",
            "model.revision=1234",
            "supervision.on_exit=echo a: {b} # c",
            "training.log_with=[tensorboard]",
        ],
    )
    assert (config.seed, config.tune.vision, config.tune.rank) == (2, "lora", 4)
    assert config.tune.targets == ("q_proj",)
    assert config.data.max_pixels is None
    assert config.batch.largest_first
    assert config.model.revision == "1234"
    assert config.supervision.on_exit == "echo a: {b} # c"
    assert config.training.log_with == ("tensorboard",)
    assert "is not a YAML value" in only_problem_of(write(), "tune.targets=[q]_proj")


def test_a_model_path_is_a_folder_where_it_can_be_one_and_else_a_hub_id(
    write: Write, tmp_path: Path
):
    (tmp_path / "org/model").mkdir(parents=True)
    (tmp_path / "org/model/config.json").write_text("{}")
    base = "data: {train: train.jsonl}\nmodel: {path: %s}\n"
    assert load_config(write(base=base % "org/model")).model.path == str(tmp_path / "org/model")
    assert load_config(write(base=base % "org/other")).model.path == "org/other"
    assert load_config(write(base=base % "./org/../org/model")).model_is_local


@pytest.mark.parametrize("stated", ["./none", "../none", "/none/x", "~/none", "a/b/c", "my model"])
def test_a_missing_model_is_its_own_error_once_nothing_else_is_wrong(write: Write, stated: str):
    path = write(base=f"data: {{train: train.jsonl}}\nmodel: {{path: {stated}}}\n")
    with pytest.raises(ModelMissing, match=r":2:model\.path: no such folder .*; correct the path"):
        load_config(path)
    assert not issubclass(ModelMissing, ConfigError)
    assert "seed" in only_problem_of(path, "seed=-1")


def test_a_model_folder_without_config_or_with_a_damaged_tokenizer_is_a_missing_model(
    write: Write, tmp_path: Path
):
    folder = tmp_path / "model"
    folder.mkdir()
    path = write(base="data: {train: train.jsonl}\nmodel: {path: model}\n")
    with pytest.raises(ModelMissing, match=r"no config\.json in .*model; point to"):
        load_config(path)
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer_config.json").write_text("{")
    with pytest.raises(ModelMissing, match=r"tokenizer_config\.json: cannot be read as JSON"):
        load_config(path)


def test_an_adapter_without_its_configuration_is_a_problem(write: Write, tmp_path: Path):
    path = write("", base="data: {train: train.jsonl}\nmodel: {path: a/b, adapter: lora}\n")
    assert ":2:model.adapter: no adapter_config.json in" in only_problem_of(path)
    (tmp_path / "lora").mkdir()
    (tmp_path / "lora/adapter_config.json").write_text("{}")
    assert load_config(path).model.adapter == str(tmp_path / "lora")


def test_a_run_can_be_looked_at_where_its_data_and_model_are_not(write: Write, tmp_path: Path):
    path = write(base="model: {path: ./none-Thinking}\ndata: {train: [none.jsonl]}\n")
    config = load_config(path, files_must_exist=False)
    assert config.data.train == (str(tmp_path / "none.jsonl"),)
    assert config.model.variant == "thinking"
