"""A browser in a few words, so that people know their own logins again."""

from __future__ import annotations

LONGEST = 120

# The first that is found counts: browsers also name those they resemble.
_BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("coc_coc_browser/", "Cốc Cốc"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Version/", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def describe_browser(user_agent: str) -> str:
    """`Chrome 142 · Windows`; empty for what no browser sends."""
    return " · ".join(part for part in (_browser(user_agent), _system(user_agent)) if part)[
        :LONGEST
    ]


def _browser(user_agent: str) -> str:
    for mark, name in _BROWSERS:
        _, found, rest = user_agent.partition(mark)
        if found:
            version = rest.split(".")[0].split(" ")[0]
            return f"{name} {version}" if version.isdecimal() else name
    return ""


def _system(user_agent: str) -> str:
    return next((name for mark, name in _SYSTEMS if mark in user_agent), "")
