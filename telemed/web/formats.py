"""Dates, times and numbers as they are written in Viet Nam."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from telemed.core.clock import LOCAL_ZONE


def local(at: datetime) -> datetime:
    """A moment on the clock of Điện Biên."""
    return at.astimezone(LOCAL_ZONE)


def format_date(value: date | datetime | None) -> str:
    """dd/MM/yyyy."""
    if value is None:
        return ""
    day = local(value) if isinstance(value, datetime) else value
    return day.strftime("%d/%m/%Y")


def format_time(value: datetime | None) -> str:
    """HH:mm."""
    return local(value).strftime("%H:%M") if value else ""


def format_datetime(value: datetime | None) -> str:
    """HH:mm dd/MM/yyyy."""
    return f"{format_time(value)} {format_date(value)}" if value else ""


def format_iso_date(value: str) -> str:
    """A date kept as ISO text in a signed record; a year alone stays a year."""
    return format_date(date.fromisoformat(value)) if "-" in value else value


def format_iso_datetime(value: str) -> str:
    """A moment kept as ISO text in a signed record."""
    return format_datetime(datetime.fromisoformat(value))


def format_number(value: float | None, decimals: int | None = None) -> str:
    """Decimal comma, thousand dot: 1.234,5."""
    if value is None:
        return ""
    text = f"{value:,.{decimals}f}" if decimals is not None else f"{value:,}"
    return text.translate(str.maketrans(",.", ".,"))


def format_size(size_bytes: int) -> str:
    """1,9 MB; 38 kB."""
    if size_bytes >= 1_000_000:
        return f"{format_number(size_bytes / 1_000_000, 1)}\u00a0MB"
    return f"{format_number(max(1, round(size_bytes / 1000)))}\u00a0kB"


FILTERS: dict[str, Callable[..., Any]] = {
    "date": format_date,
    "time": format_time,
    "datetime": format_datetime,
    "number": format_number,
    "size": format_size,
    "iso_date": format_iso_date,
    "iso_datetime": format_iso_datetime,
}
