"""Keep text from spelling the control tokens that give a conversation its structure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase  # they load torch


@dataclass(frozen=True)
class ControlTokens:
    """The tokens that model or chat format give a meaning, by their text."""

    ids: dict[str, int]

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        longest_first = sorted(self.ids, key=len, reverse=True)
        return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")

    def spelled_in(self, value: Any) -> str | None:
        """Return the first control token spelled anywhere in a JSON value, None without any."""
        for text in _texts(value):
            if match := self._pattern.search(text):
                return match[0]
        return None

    def escaped(self, value: Any) -> Any:
        """Return a JSON value in which no text spells a control token any more.

        A space after the first character makes it plain text to every tokenizer and stays
        visible to people: `<|im_end|>` becomes `< |im_end|>`.
        """
        if isinstance(value, str):
            return self._pattern.sub(lambda match: f"{match[0][0]} {match[0][1:]}", value)
        if isinstance(value, (list, tuple)):
            return type(value)(self.escaped(item) for item in value)
        if isinstance(value, dict):
            return {self.escaped(key): self.escaped(item) for key, item in value.items()}
        return value


def find_control_tokens(
    tokenizer: "PreTrainedTokenizerBase", config: "PretrainedConfig", chat_tokens: Iterable[str]
) -> ControlTokens:
    """Return the tokens named by the tokenizer (eos, pad, ...), the model and the chat format.

    Markers that are content, such as those of boxes or reasoning, are none of them.
    """
    named = {id_ for id_ in _token_ids(config.to_dict()) if id_ < len(tokenizer)}
    texts = {str(text) for text in tokenizer.convert_ids_to_tokens(sorted(named))}
    texts |= {text for text in tokenizer.special_tokens_map.values() if isinstance(text, str)}
    texts |= set(chat_tokens)
    added = {str(token) for token in tokenizer.added_tokens_decoder.values()}
    return ControlTokens({text: _id(tokenizer, text) for text in sorted(texts & added)})


def _id(tokenizer: "PreTrainedTokenizerBase", text: str) -> int:
    token_id = tokenizer.convert_tokens_to_ids(text)
    assert isinstance(token_id, int)
    return token_id


def _token_ids(config: dict[str, Any]) -> Iterable[int]:
    """All ids under keys such as image_token_id, also in the parts' own configurations."""
    for key, value in config.items():
        if isinstance(value, dict):
            yield from _token_ids(value)
        elif str(key).endswith("_token_id"):
            ids = value if isinstance(value, list) else [value]
            yield from (id_ for id_ in ids if isinstance(id_, int))


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts(item)
