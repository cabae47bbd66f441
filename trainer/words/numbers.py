"""Numbers as people read them: three significant digits, units once, `–` for the unknown."""

UNKNOWN = "–"


def count(value: int | None) -> str:
    """Return `1,498`."""
    return UNKNOWN if value is None else f"{value:,}"


def significant(value: float | None) -> str:
    """Return three significant digits: `0.412`, `12.3`, `1,500`, `1.6e-4`."""
    if value is None:
        return UNKNOWN
    if value == 0:
        return "0"
    magnitude = abs(value)
    if magnitude < 1e-3:
        mantissa, _, exponent = f"{value:.2e}".partition("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    if magnitude >= 100:
        return f"{value:,.0f}"
    if magnitude >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if magnitude >= 1 else f"{value:.3f}"


def size(value: float | None) -> str:
    """Return bytes as `43 MB`."""
    if value is None:
        return UNKNOWN
    for unit in ("B", "kB", "MB", "GB"):
        if abs(value) < 1000:
            return f"{value:.0f} {unit}" if value >= 10 or unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def duration(seconds: float | None) -> str:
    """Return `2 h 14 m`, `3 m 05 s` or `12 s`."""
    if seconds is None:
        return UNKNOWN
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02} s"
    if whole < 48 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02} m"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"
