"""The two ways in which a configuration cannot be used."""

from collections.abc import Iterable


class ConfigError(ValueError):
    """Everything that is wrong with a configuration, each as `file:line:key: what; remedy`."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


class ModelMissing(ValueError):
    """The configuration is right, but the folder of its model is absent or holds no checkpoint."""
