"""Moments as people write them: `7d`, `yesterday`, `2026-11-26`, `2026-11-26T20:00`, in the viewer's zone."""

import re
from datetime import date, datetime, timedelta

_AGO = re.compile(r"(\d{1,6})([smhdw])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def moment(text: str, now: float) -> float:
    """Give seconds since the epoch.

    Args:
        text: how long ago (`90s`, `30m`, `2h`, `7d`, `2w`), `now`, a day (its beginning), or an ISO date
            and time, of the viewer's zone where it names none.
        now: this moment.

    Raises:
        ValueError: it is none of these.
    """
    if ago := _AGO.fullmatch(text):
        return now - int(ago[1]) * _UNITS[ago[2]]
    if text == "now":
        return now
    try:
        return beginning(day(text, now))
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"'{text}' is no time: give 7d, 2h, yesterday, or an ISO date or time") from None


def day(text: str, now: float) -> date:
    """Give `today`, `yesterday` or an ISO date.

    Raises:
        ValueError: it is none of these.
    """
    today = datetime.fromtimestamp(now).date()
    named = {"today": today, "yesterday": today - timedelta(days=1)}
    try:
        found = named.get(text) or date.fromisoformat(text)
        beginning(found)
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"'{text}' is no day: give today, yesterday, or an ISO date") from None
    return found


def beginning(of: date) -> float:
    """Give when a day begins in the viewer's zone; days there may have 23 or 25 hours."""
    return datetime(of.year, of.month, of.day).timestamp()
