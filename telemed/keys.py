"""Typed keys for everything kept on the application or on a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from aiohttp import web

from telemed.accounts.permissions import Actor
from telemed.core.clock import Clock, TaskOwner
from telemed.core.config import Settings
from telemed.core.db import Announcer, Database, UnitOfWork
from telemed.core.i18n import Catalogue
from telemed.core.jobs import JobRunner

if TYPE_CHECKING:
    from telemed.accounts.service import Accounts
    from telemed.accounts.throttle import Throttle
    from telemed.imaging.previews import Previewer
    from telemed.imaging.storage import Storage
    from telemed.media.echo.process import EchoPeers
    from telemed.notices.deliverer import Deliverer
    from telemed.patients.scanning import CardScanner
    from telemed.printing.printer import Printer
    from telemed.sessions.recording.recorders import Recorders
    from telemed.signaling.server import Signaling
    from telemed.web.assets import Assets
    from telemed.web.rendering import Renderer

SETTINGS = web.AppKey("settings", Settings)
DATABASE = web.AppKey("database", Database)
CLOCK: web.AppKey[Clock] = web.AppKey("clock")
ANNOUNCER: web.AppKey[Announcer] = web.AppKey("announcer")
CATALOGUE = web.AppKey("catalogue", Catalogue)
ASSETS: web.AppKey[Assets] = web.AppKey("assets")
RENDERER: web.AppKey[Renderer] = web.AppKey("renderer")
STORAGE: web.AppKey[Storage] = web.AppKey("storage")
PRINTER: web.AppKey[Printer] = web.AppKey("printer")
CARD_SCANNER: web.AppKey[CardScanner] = web.AppKey("card_scanner")
PREVIEWER: web.AppKey[Previewer] = web.AppKey("previewer")
ACCOUNTS: web.AppKey[Accounts] = web.AppKey("accounts")
SIGNALING: web.AppKey[Signaling] = web.AppKey("signaling")
RECORDERS: web.AppKey[Recorders] = web.AppKey("recorders")
MEASURES: web.AppKey[Throttle] = web.AppKey("measures")
ECHO: web.AppKey[EchoPeers] = web.AppKey("echo")
DELIVERER: web.AppKey[Deliverer] = web.AppKey("deliverer")
TASKS = web.AppKey("tasks", TaskOwner)
JOBS = web.AppKey("jobs", JobRunner)
TRIAL: web.AppKey[Callable[[Actor], Mapping[str, str] | None]] = web.AppKey("trial")
FINGERPRINT: web.AppKey[Callable[[bytes], str]] = web.AppKey("fingerprint")
# What browsers subscribe with for messages.
PUSH_KEY = web.AppKey("push_key", str)
SYNTHETIC: web.AppKey[Callable[[], bool]] = web.AppKey("synthetic")

ACTOR: web.RequestKey[Actor | None] = web.RequestKey("actor")
WORK: web.RequestKey[UnitOfWork] = web.RequestKey("work")
LOCALE: web.RequestKey[str] = web.RequestKey("locale")
REQUEST_ID: web.RequestKey[str] = web.RequestKey("request_id")


def signed_in(request: web.Request) -> Actor:
    """Who asks, on a route whose action needs somebody."""
    actor = request[ACTOR]
    assert actor is not None
    return actor
