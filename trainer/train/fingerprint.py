"""One hash over everything in a configuration that decides the numbers of training."""

import hashlib

import orjson

from trainer.config.differences import decisive_values
from trainer.config.schema import RunConfig

COMPARED_BY_CONTENT = frozenset({"data.train", "data.validation"})


def fingerprint(config: RunConfig) -> str:
    """Return a hash that is equal for runs whose steps are the same.

    Data files are compared by content and the length of the run by the resume check, so neither
    is part of it.
    """
    values = decisive_values(config).items()
    decisive = {key: value for key, value in values if key not in COMPARED_BY_CONTENT}
    return hashlib.sha256(orjson.dumps(decisive, option=orjson.OPT_SORT_KEYS)).hexdigest()
