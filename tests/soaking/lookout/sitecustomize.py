"""Loaded by each Python process of a watched server: tells on SIGUSR1 what is alive in it."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
from collections import Counter, deque
from pathlib import Path
from string import digits
from typing import Any

PLACE = Path(os.environ["LOOKOUT"])
WATCHED = ("telemed.signaling", "telemed.media", "telemed.sessions", "aiortc", "aioice")
CONTAINERS = (dict, set, list, deque)


def count() -> dict[str, int]:
    """Live objects of the watched packages, what each kind of them holds together, and tasks."""
    gc.collect()
    found: Counter[str] = Counter()
    for thing in gc.get_objects():
        kind = type(thing)
        if not str(kind.__module__).startswith(WATCHED):
            continue
        name = f"{kind.__module__}.{kind.__qualname__}"
        found[name] += 1
        for attribute, value in getattr(thing, "__dict__", {}).items():
            if isinstance(value, CONTAINERS):
                found[f"{name}.{attribute}"] += len(value)
    for task in asyncio.all_tasks():
        # "Task-7", "signaling:room aBc": of the kind, not of the number or the room.
        found[f"task {task.get_name().split()[0].rstrip(digits)}"] += 1
    return found


def tell(*_: Any) -> None:
    """Write it down, whole."""
    draft = PLACE / f"{os.getpid()}.draft"
    draft.write_text(json.dumps(count()))
    draft.rename(PLACE / f"{os.getpid()}.counts")


signal.signal(signal.SIGUSR1, tell)
(PLACE / f"{os.getpid()}.name").write_text(" ".join(sys.orig_argv))
