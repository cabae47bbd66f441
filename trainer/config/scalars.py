"""Accept what YAML 1.1 reads as something else than was meant."""


def number(value: object) -> object:
    """Return text that spells a number, such as `1e-4`, as that number; all else unchanged.

    PyYAML follows YAML 1.1, in which `1e-4` (no dot) is a string. Raises ValueError for true and
    false, which Python would take as 1 and 0.
    """
    if isinstance(value, bool):
        msg = f"{str(value).lower()} is not a number; write one"
        raise ValueError(msg)
    if not isinstance(value, str):
        return value
    try:
        return int(value)
    except ValueError:
        pass
    try:
        return float(value)
    except ValueError:
        return value


def off_for_false(value: object) -> object:
    """Return `off` for false, which is how YAML reads a bare `off`."""
    return "off" if value is False else value


def off_or_all(value: object) -> object:
    """Return `off` for false and `all` for true."""
    return "all" if value is True else off_for_false(value)
