"""The filter of runs: what it finds, what it refuses, and that nothing typed breaks it."""

from collections.abc import Mapping
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qvl_tui.query import KEYS, QueryError, parse_query

OPTIONS = (
    "optimizer.learning_rate",
    "optimizer.name",
    "schedule.name",
    "tune.rank",
    "data.train",
    "training.max_steps",
    "checkpoint.keep_best",
)
RUN: Mapping[str, object] = {
    "state": "failed",
    "name": ["Shapes [one]", "shapes-lora"],
    "model": ["2B-Instruct", "/models/Qwen3-VL-2B-Instruct"],
    "method": "LoRA r16 NF4",
    "note": "second try",
    "step": 1_498,
    "total": 3_345,
    "progress": 0.448,
    "loss": 0.412,
    "val": None,
    "age": 3 * 86_400.0,
    "optimizer.learning_rate": 2e-4,
    "optimizer.name": "adamw_8bit",
    "schedule.name": "cosine",
    "tune.rank": 16,
    "data.train": ["/data/train.jsonl", "/data/more.jsonl"],
    "training.max_steps": None,
    "checkpoint.keep_best": True,
}


def matches(text: str) -> bool:
    return parse_query(text, OPTIONS).matches(RUN)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "shapes",
        "[one]",
        "2b-instruct",
        '"shapes [ONE]"',
        "state:failed",
        "state:running,failed",
        "lr>1e-4",
        "lr=2e-4",
        "lr<=0.0002",
        "name:shapes lr>1e-4 state:failed",
        "loss<0.5",
        "step>=100",
        "step>=1,498",
        "progress>40%",
        "age<1w",
        "age>=72h",
        "rank=16",
        "rank:16",
        "tune.rank!=8",
        "optimizer.name:adamw",
        "optimizer.name=ADAMW_8bit",
        "train:more.jsonl",
        "training.max_steps=null",
        "keep_best=true",
        "-state:finished",
        "-val<1",
        'note:"second try"',
    ],
)
def test_a_run_is_found_by_what_it_is(text: str):
    assert matches(text)


@pytest.mark.parametrize(
    "text",
    [
        "circles",
        "-shapes",
        "state:running",
        "lr>2e-4",
        "lr<2e-4",
        "loss>0.5",
        "val<1",
        "age<2d",
        "rank=8",
        "rank!=16",
        "optimizer.name=adamw",
        "shapes state:finished",
        "max_steps>5",
    ],
)
def test_a_run_is_left_out_by_what_it_is_not(text: str):
    assert not matches(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stat:failed", "no key is called stat; the nearest is state"),
        ("optimizer.nam:adamw", "the nearest is optimizer.name"),
        ("rnk=16", "the nearest is rank"),
        ("max_step=5", "the nearest is max_steps"),
        ("state:faild", "no state is called faild; the nearest is failed"),
        ("lr>", "lr> wants a number; such as lr>1e-4"),
        ("lr>fast", "lr> wants a number, fast is none"),
        ("loss:low", "loss: wants a number, low is none"),
        ("rank>many", "rank> wants a number"),
        ("age<2", "age< wants a time, 2 is none; such as age<2d"),
        ("name>5", "name> compares words; write name:word"),
        ("zzzzzz=1", "no key is called zzzzzz; there are state, name"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_could(text: str, said: str):
    with pytest.raises(QueryError) as refused:
        parse_query(text, OPTIONS)
    assert said in str(refused.value)


def test_a_short_key_that_could_be_two_options_asks_which():
    with pytest.raises(QueryError, match=r"decay is a\.decay or b\.decay; write which"):
        parse_query("decay=1", ["a.decay", "b.decay"])


def test_the_learning_rate_can_be_asked_for_before_a_run_is_there():
    assert not parse_query("lr>1e-4").matches({})


_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**9), 10**9),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.lists(st.text(max_size=6), max_size=3),
)
_facts = st.dictionaries(st.sampled_from([*KEYS, *OPTIONS]), _values, max_size=12)
_pieces = st.sampled_from(
    [
        *KEYS,
        *OPTIONS,
        "lr",
        "rank",
        ":",
        "=",
        "<",
        ">=",
        "!=",
        "-",
        " ",
        '"',
        "1e-4",
        "2d",
        "5",
        ",",
    ]
)
_queries = st.one_of(st.text(max_size=40), st.lists(_pieces, max_size=12).map("".join))


@given(_queries, _facts)
def test_whatever_is_typed_is_understood_or_refused_in_words(text: str, facts: dict[str, object]):
    with suppress(QueryError):
        assert parse_query(text, OPTIONS).matches(facts) in (True, False)


@given(st.sampled_from(["name:a", "lr>1e-4", "loss<0.5", "step=5", "age<2d", "abc"]), _facts)
def test_a_minus_finds_exactly_the_others(term: str, facts: dict[str, object]):
    found, others = parse_query(term, OPTIONS), parse_query(f"-{term}", OPTIONS)
    assert found.matches(facts) != others.matches(facts)


@given(st.floats(1e-9, 1e9), st.floats(1e-9, 1e9))
def test_comparisons_agree_with_each_other(loss: float, wanted: float):
    def holds(comparison: str) -> bool:
        return parse_query(f"loss{comparison}{wanted!r}").matches({"loss": loss})

    assert [holds("<"), holds("="), holds(">")].count(True) == 1
    assert holds("<=") == (holds("<") or holds("="))
    assert holds(">=") == (holds(">") or holds("="))
    assert holds("!=") != holds("=")


@given(_facts, st.permutations(["state:f", "loss<1", "-shapes", "rank=16"]))
def test_the_order_of_conditions_does_not_matter(facts: dict[str, object], terms: list[str]):
    forward, backward = " ".join(terms), " ".join(reversed(terms))
    assert parse_query(forward, OPTIONS).matches(facts) == parse_query(backward, OPTIONS).matches(
        facts
    )
