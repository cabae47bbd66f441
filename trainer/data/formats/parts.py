"""Check the parts of a record; every complaint carries the record's place."""

from typing import Any

from trainer.data.errors import RecordError, Source

ROLES = ("system", "user", "assistant", "tool")
RESIZING_KEYS = ("min_pixels", "max_pixels", "resized_height", "resized_width")
UNTRAINED_MEDIA = ("videos", "video", "audios", "audio")


class Parts:
    """Takes a record apart; readers of formats build on it."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def error(self, what: str, remedy: str) -> RecordError:
        """Return the error of this record."""
        return RecordError(self.source, what, remedy)

    def text(self, value: dict[str, Any], key: str) -> str:
        """Return the text under a key; raises RecordError."""
        text = value.get(key)
        if not isinstance(text, str):
            raise self.error(f"`{key}` is {json_kind(text)}", "write it as a string")
        return text

    def optional_text(self, value: dict[str, Any], key: str) -> str | None:
        """Return the text under a key, None where it is missing or null; raises RecordError."""
        return None if value.get(key) is None else self.text(value, key)

    def objects(self, value: Any, where: str) -> list[dict[str, Any]]:
        """Return a list of objects as it is; raises RecordError."""
        if not isinstance(value, list):
            raise self.error(f"{where} is {json_kind(value)}", "write a list of objects")
        for number, item in enumerate(value):
            if not isinstance(item, dict):
                raise self.error(f"{where}[{number}] is {json_kind(item)}", "write an object")
        return value

    def images(
        self, value: dict[str, Any], keys: tuple[str, ...] = ("images", "image")
    ) -> list[str]:
        """Return the images that lie beside the text, under the one of the keys that is there.

        Each is a text, or an object as Parquet files have it, with `path`, `url` or `bytes`.
        Raises RecordError.
        """
        given = [key for key in keys if value.get(key)]
        if not given:
            return []
        if len(given) > 1:
            raise self.error(f"both `{given[0]}` and `{given[1]}`", "remove one")
        found = value[given[0]]
        entries = found if isinstance(found, list) else [found]
        return [self.image(entry, given[0]) for entry in entries]

    def image(self, entry: Any, where: str) -> str:
        """Return an image's reference; raises RecordError."""
        if isinstance(entry, dict):
            entry = next((entry[key] for key in ("bytes", "path", "url") if entry.get(key)), None)
        if isinstance(entry, str) and entry.strip():
            return entry
        what = "empty" if isinstance(entry, str) else json_kind(entry)
        raise self.error(
            f"an image under `{where}` is {what}", "write a data URI, base64 text or a path"
        )

    def refuse_media(self, value: dict[str, Any]) -> None:
        """Raise RecordError for what is neither text nor image."""
        for key in UNTRAINED_MEDIA:
            if value.get(key):
                raise self.error(f"`{key}`: only texts and images are trained", "remove the record")

    def tools(self, value: dict[str, Any]) -> list[Any] | None:
        """Return the tools that a record offers to the model; raises RecordError."""
        tools = value.get("tools")
        return self.objects(tools, "`tools`") if tools else None

    def check_weight(self, turn: dict[str, Any], where: str) -> None:
        """Raise RecordError for a turn that is not to be trained like the others."""
        for key, usual in (("weight", 1), ("loss", True), ("loss_scale", 1)):
            if turn.get(key) is not None and turn[key] != usual:
                raise self.error(
                    f"{where} has `{key}`, which is not supported", "remove the turn or key"
                )


def json_kind(value: Any) -> str:
    """Return the JSON name of a value's type."""
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string"}
    names |= {list: "a list", dict: "an object", type(None): "missing or null"}
    return names[type(value)]


def shown_role(role: Any) -> str:
    """Return a role as it is named in a complaint."""
    return repr(role)[:40] if isinstance(role, str) else json_kind(role)


def shown_keys(value: dict[str, Any]) -> str:
    """Return the first keys of an object as they are named in a complaint."""
    return ", ".join(f"`{key}`" for key in list(value)[:8]) or "nothing"
