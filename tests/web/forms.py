"""What a page says of its form."""

from __future__ import annotations

import re
from html import unescape


def faults(page: str) -> dict[str, str]:
    """Field to sentence of the summary of a page."""
    return {
        field: unescape(text) for field, text in re.findall(r'href="#f-([\w-]+)">([^<]+)</a>', page)
    }


def value_of(page: str, name: str) -> str | None:
    field = re.search(rf'<input[^>]*name="{name}"[^>]*?value="([^"]*)"', page)
    return unescape(field[1]) if field else None
