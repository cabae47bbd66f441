"""Data sets that many people train on, and how their columns are read."""

from dataclasses import dataclass, field

from trainer.config.reading import ColumnsConfig


@dataclass(frozen=True, kw_only=True)
class KnownSet:
    """A data set of the hub; columns that are not named are recognised."""

    name: str
    category: str
    hub: str
    config: str | None = None
    split: str = "train"
    columns: ColumnsConfig = field(default_factory=ColumnsConfig)
    note: str = ""

    def convert_command(self) -> tuple[str, ...]:
        """Return the arguments of `qvl` that write it as JSONL."""
        named = self.columns.model_dump_json(exclude_none=True)
        return (
            *("data", "convert", f"hub:{self.hub}", f"{self.name}.jsonl"),
            *(("--hub-config", self.config) if self.config else ()),
            *(("--hub-split", self.split) if self.split != "train" else ()),
            *(("--columns", named) if named != "{}" else ()),
            *(("--skip-bad",) if self.note else ()),
        )


KNOWN_SETS = (
    KnownSet(name="alpaca", category="instructions", hub="tatsu-lab/alpaca"),
    KnownSet(name="dolly", category="instructions", hub="databricks/databricks-dolly-15k"),
    KnownSet(name="gsm8k", category="mathematics", hub="openai/gsm8k", config="main"),
    KnownSet(
        name="openmath",
        category="mathematics",
        hub="nvidia/OpenMathInstruct-2",
        split="train_1M",
        columns=ColumnsConfig(prompt="problem", response="generated_solution"),
    ),
    KnownSet(
        name="orca-math", category="mathematics", hub="microsoft/orca-math-word-problems-200k"
    ),
    KnownSet(name="code-alpaca", category="code", hub="sahil2801/CodeAlpaca-20k"),
    KnownSet(
        name="squad-v2",
        category="reading",
        hub="rajpurkar/squad_v2",
        columns=ColumnsConfig(
            question_template="{context}\n\n{question}", answer_template="{answers.text.0}"
        ),
        note="questions without an answer are left out",
    ),
)
