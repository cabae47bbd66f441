"""The operations of an augmentation: read, refused with what to do, and written again."""

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from trainer.config.augmentation import OPERATIONS, AugmentationConfig, Crop, Own, Rotate
from trainer.config.differences import (
    config_differences,
    decisive_changes,
    decisive_values,
    resume_conflicts,
)
from trainer.config.errors import ConfigError
from trainer.config.load import dump_config, load_config
from trainer.config.options import options
from trainer.config.schema import RunConfig

Load = Callable[..., RunConfig]
BASE = ("fast", ["model.path=a/b", "data.train=[x.jsonl]"])


@pytest.fixture
def load() -> Load:
    source, common = BASE

    def load(ops: str = "[]") -> RunConfig:
        stated = [*common, f"data.augmentation.ops={ops}"]
        return load_config(source, stated, files_must_exist=False)

    return load


def problems(load: Load, ops: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        load(ops)
    return [problem.partition("data.augmentation.ops: ")[2] for problem in refused.value.problems]


def test_operations_are_read_with_their_parameters_and_defaults(load: Load):
    stated = "[{name: rotate, params: {degrees: [-1e1, 5], prob: 1}}, {name: crop}]"
    rotate, crop = load(stated).data.augmentation.ops
    assert rotate == Rotate(degrees=(-10, 5), prob=1)
    assert crop == Crop()


def test_one_number_stands_for_the_range_that_holds_it_alone(load: Load):
    (rotate,) = load("[{name: rotate, params: {degrees: 7}}]").data.augmentation.ops
    assert rotate == Rotate(degrees=(7, 7))


def test_ones_own_operation_keeps_all_its_parameters(load: Load):
    stated = "[{name: 'my.ops:rain', params: {prob: 0.1, drops: [1, 2], name_of_cloud: x}}]"
    (own,) = load(stated).data.augmentation.ops
    assert isinstance(own, Own)
    assert (own.name, own.prob) == ("my.ops:rain", 0.1)
    assert own.parameters == {"drops": [1, 2], "name_of_cloud": "x"}


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("{name: rotat}", "no operation is called 'rotat'; did you mean rotate?"),
        ("{name: Flip}", "did you mean flip?"),
        ("{name: zzzz}", "use one of flip, rotate"),
        ("{params: {}}", "has no `name`; use one of flip"),
        ("{name: rotate, params: {degree: 3}}", "no parameter `degree`; did you mean degrees?"),
        ("{name: rotate, prob: 1}", "has `prob` beside `name` and `params`; put it under"),
        ("{name: rotate, params: [1]}", "has `params` that are no group"),
        ("rotate", "is not an operation; write {name: flip, params: {prob: 0.5}}"),
        ("{name: rotate, params: {degrees: [5, -5]}}", "degrees: [5, -5] runs backwards"),
        ("{name: rotate, params: {degrees: 181}}", "181 is out of range; give numbers from -180"),
        ("{name: rotate, params: {degrees: [1, 2, 3]}}", "degrees: [1, 2, 3] is not allowed"),
        ("{name: rotate, params: {degrees: [x, 3]}}", "degrees: 'x' is not allowed"),
        ("{name: rotate, params: {degrees: .nan}}", "degrees: "),
        ("{name: flip, params: {prob: 1.5}}", "prob: 1.5 is not allowed; it should be less"),
        ("{name: flip, params: {direction: up}}", "direction: 'up' is not allowed"),
        ("{name: 'os:'}", "no operation is called 'os:'"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_a_remedy(load: Load, stated: str, expected: str):
    (problem,) = problems(load, f"[{{name: flip}}, {stated}]")
    assert problem.startswith("entry 2")
    assert expected in problem


def test_all_problems_of_a_list_are_reported_at_once(load: Load):
    found = problems(load, "[{name: rotat}, {name: crop, params: {area: 3, min_coverage: 2}}]")
    assert [problem.split(":")[0] for problem in found] == [
        "entry 1",
        "entry 2, area",
        "entry 2, min_coverage",
    ]


def test_a_dump_loads_as_an_equal_configuration(load: Load, tmp_path: Path):
    everything = [{"name": name} for name in OPERATIONS]
    everything.append({"name": "a:b", "params": {"deep": {"x": [1, None]}}})  # type: ignore[dict-item]
    config = load(yaml.safe_dump(everything, default_flow_style=True, width=2**20))
    (tmp_path / "config.yaml").write_text(dump_config(config))
    again = load_config(tmp_path / "config.yaml", files_must_exist=False)
    assert again == config
    assert pickle.loads(pickle.dumps(again.data)) == config.data


def test_the_augmentation_is_part_of_what_decides_the_numbers(load: Load):
    one, other = load("[{name: flip}]"), load("[{name: flip, params: {prob: 0.4}}]")
    (change,) = decisive_changes(decisive_values(one), other)
    assert change.startswith("data.augmentation.ops: ")
    assert not decisive_changes(decisive_values(one), load("[{name: flip}]"))
    (conflict,) = resume_conflicts(one, other)
    assert conflict.startswith("data.augmentation.ops: ")
    assert "data.augmentation.ops" in config_differences(one)


def test_nothing_is_augmented_unless_somebody_asks(load: Load):
    assert load().data.augmentation == AugmentationConfig()
    assert AugmentationConfig().ops == ()
    assert "data.augmentation.ops" not in config_differences(load())
    assert options()["data.augmentation.ops"].kind == "list of groups"
