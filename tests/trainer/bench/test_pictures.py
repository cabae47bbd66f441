"""The records to measure with are what they are said to be."""

from pathlib import Path

import pytest

from trainer.bench.configure import ANSWER_TOKENS, PIXELS
from trainer.bench.pictures import write_pictures
from trainer.config.load import load_config
from trainer.data.index import Dataset, index_file
from trainer.data.preprocessing import Preprocessing
from trainer.data.reading import Records
from trainer.data.samples import IGNORED

END_OF_TURN = 1  # its token has a label too


def label_counts(
    model: Path, folder: Path, pixels: int, answer_tokens: int
) -> list[tuple[int, int]]:
    """Return how many labels and tokens each of some records has."""
    path = write_pictures(
        folder / "train.jsonl", records=9, pixels=pixels, answer_tokens=answer_tokens
    )
    config = load_config("balanced", [f"model.path={model}", f"data.train={path}"])
    records = Records.of(Dataset((index_file(path, cache_dir=folder),)), config.data)
    preprocessing = Preprocessing.load(config.model, config.data)
    samples = [preprocessing.encode(records[number]) for number in range(9)]
    return [(int((it.labels != IGNORED).sum()), len(it.labels)) for it in samples]


def test_an_answer_has_as_many_tokens_as_are_asked_for(tiny_checkpoint: Path, tmp_path: Path):
    counts = label_counts(tiny_checkpoint, tmp_path, 64, answer_tokens=12)
    assert {labels for labels, _ in counts} == {12 + END_OF_TURN}


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_tenth_of_the_tokens_has_labels(tiny_checkpoint: Path, tmp_path: Path, device: str):
    counts = label_counts(tiny_checkpoint, tmp_path, PIXELS[device], ANSWER_TOKENS[device])
    for labels, tokens in counts:
        assert labels / tokens == pytest.approx(0.1, abs=0.005)
