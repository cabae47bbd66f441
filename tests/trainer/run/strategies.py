"""Any event, for property tests."""

from dataclasses import is_dataclass
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from trainer.run.events import AnyEvent

EVENT_TYPES: tuple[type[AnyEvent], ...] = get_args(AnyEvent)

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)
_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(-(2**62), 2**62),
    float: st.floats(allow_nan=False, allow_infinity=False),
    str: st.text(max_size=20),
    bool: st.booleans(),
    NoneType: st.none(),
    Any: _JSON,
}


def values(annotation: Any) -> st.SearchStrategy[Any]:
    """Return any value of an annotation that occurs in the events."""
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    if is_dataclass(annotation):
        return instances(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        return st.lists(values(arguments[0]), max_size=2).map(tuple)
    if origin is dict:
        return st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=2)
    return st.one_of([values(argument) for argument in arguments])


def instances(kind: Any) -> st.SearchStrategy[Any]:
    """Return any instance of a dataclass, every field drawn."""
    hints = get_type_hints(kind)
    return st.builds(kind, **{name: values(hint) for name, hint in hints.items()})


def any_event() -> st.SearchStrategy[AnyEvent]:
    """Return any event of any type."""
    return st.sampled_from(EVENT_TYPES).flatmap(instances)
