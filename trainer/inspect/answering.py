"""Answer questions about records, one JSON object each, for a program that shows them."""

from dataclasses import asdict, dataclass
from typing import Any

from trainer.data.errors import DataError
from trainer.inspect.browser import Browser
from trainer.inspect.inspector import Inspector

SEARCH_SECONDS = 0.7  # after which a search pauses, so that another question gets its turn


@dataclass(frozen=True, eq=False)
class Answering:
    """Takes questions as they come from a program; records count from 1 there."""

    browser: Browser

    @classmethod
    def about(cls, inspector: Inspector) -> "Answering":
        """Return what answers about the records of an inspector."""
        return cls(Browser(inspector))

    def opened(self) -> dict[str, Any]:
        """Return what there is to ask about."""
        inspector = self.browser.inspector
        opened = inspector.opened
        return {
            "title": opened.title,
            "model": opened.config.model.path,
            "variant": opened.encoder.variant,
            "max_length": opened.encoder.options.max_length,
            "seed": opened.config.seed,
            "epochs": opened.config.training.epochs,
            "augmented": bool(opened.config.data.augmentation.ops),
            "splits": {
                name: {
                    "records": len(split.records),
                    "files": [file.path for file in split.records.dataset.files],
                }
                for name, split in opened.builder.splits.items()
            },
        }

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a question, or the error that it meets.

        Raises:
            KeyError, TypeError: It is no question.

        """
        try:
            return self._answer(question)
        except DataError as error:
            return {"error": str(error)}

    def _answer(self, question: dict[str, Any]) -> dict[str, Any]:
        split, record = question["split"], question["record"] - 1
        match question["ask"]:
            case "inspect":
                inspector = self.browser.inspector
                return inspector.inspect(split, record, question["epoch"]).as_json()
            case "rows":
                rows = self.browser.rows(split, record, question["count"])
                return {"rows": [asdict(row) for row in rows]}
            case "find":
                found = self.browser.find(
                    split, record, question["by"], question["text"], SEARCH_SECONDS
                )
                return asdict(found)
            case other:
                raise KeyError(other)
