"""Whatever stands in whatever place of a record, it is read and encoded, or refused with words."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import orjson
import pytest

from tests.faults.fuzz.mutation import VALUES, places_in
from tests.faults.fuzz.targets import record_lines
from tests.trainer.data.conftest import Load
from tests.trainer.data.formats.samples import SAMPLES, parse
from trainer.config.reading import ColumnsConfig
from trainer.data.errors import RecordError
from trainer.data.formats.recognise import format_of
from trainer.data.preprocessing import Preprocessing

ODD = (*VALUES, 1.0, {"a": 1}, [None])


@pytest.mark.parametrize("line", record_lines(), ids=lambda line: line[:40].decode())
def test_no_value_in_any_place_of_a_record_ends_the_reading(
    line: bytes, load: Load, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(SAMPLES)
    whole = orjson.loads(line)
    preprocessing = load("base" if "text" in whole else "instruct")
    name = format_of(whole, ColumnsConfig())
    assert name is not None
    outcomes = [is_encoded(it, name, preprocessing) for it in with_odd_values(whole)]
    assert True in outcomes
    assert False in outcomes


def with_odd_values(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the record with each of its values replaced by each odd one."""
    whole = {"record": record}
    for place in range(1, len(places_in(whole))):
        for odd in ODD:
            broken = deepcopy(whole)
            holder, key = places_in(broken)[place]
            holder[key] = deepcopy(odd)
            yield broken["record"]


def is_encoded(value: dict[str, Any], name: Any, preprocessing: Preprocessing) -> bool:
    """Whether a record becomes a sample; RecordError alone may say why not."""
    try:
        preprocessing.encode(parse(value, name))
    except RecordError:
        return False
    return True
