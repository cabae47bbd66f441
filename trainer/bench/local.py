"""Read the configuration of a measurement, with its model on this machine."""

from trainer.bench.files import BenchFiles
from trainer.config.load import load_config
from trainer.config.schema import RunConfig
from trainer.model.download import ensure_local


def local_config(files: BenchFiles) -> RunConfig:
    """Return it with the folder of the model, which is downloaded first where it has to be."""
    config = load_config(files.config)
    folder = ensure_local(config.model, lambda _: None)
    model = config.model.model_copy(update={"path": str(folder)})
    return config.model_copy(update={"model": model})
