"""The only composition root: real things are built here, and each can be replaced by argument."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from aiohttp import web

from telemed.core.clock import LOCAL_ZONE, Clock, SystemClock, TaskOwner
from telemed.core.config import Settings
from telemed.core.db import Announcer, Database
from telemed.core.errors import Param
from telemed.core.i18n import Catalogue
from telemed.core.jobs import JobHandler, JobRunner
from telemed.core.paths import LOCALE, STATIC, TEMPLATES
from telemed.keys import (
    ASSETS,
    CATALOGUE,
    CLOCK,
    DATABASE,
    JOBS,
    RENDERER,
    SETTINGS,
    SYNTHETIC,
    TASKS,
)
from telemed.patients.birth import Birth, age_on
from telemed.web.assets import Assets
from telemed.web.health import routes as health_routes
from telemed.web.middleware import MIDDLEWARES
from telemed.web.rendering import Phrase, Renderer
from telemed.web.routing import ROUTE_TABLE, Routes, RouteTable
from telemed.web.security import add_headers

BODY_LIMIT = 1024 * 1024


@dataclass(frozen=True)
class Overrides:
    """What a test puts in the place of the real thing."""

    clock: Clock | None = None
    announcer: Announcer | None = None
    runs_jobs: bool = True


def create_app(settings: Settings, overrides: Overrides | None = None) -> web.Application:
    """The whole application, ready to be served; nothing is opened before it starts."""
    instead = overrides or Overrides()
    app = web.Application(client_max_size=BODY_LIMIT, middlewares=MIDDLEWARES)
    clock = instead.clock or SystemClock()
    assets = Assets(STATIC)
    catalogue = Catalogue(LOCALE)
    app[SETTINGS] = settings
    app[CLOCK] = clock
    app[CATALOGUE] = catalogue
    app[ASSETS] = assets
    app[RENDERER] = Renderer(TEMPLATES, catalogue, assets, clock, PHRASES)
    app[TASKS] = TaskOwner("app")
    app[SYNTHETIC] = lambda: settings.demo
    app[DATABASE] = Database(
        settings.database, clock=clock, announcer=instead.announcer, settings=settings
    )
    app[JOBS] = JobRunner(app[DATABASE], JOB_HANDLERS)
    app[ROUTE_TABLE] = RouteTable()
    for routes in ROOMS:
        app[ROUTE_TABLE].add(app, routes)
    app.router.add_get(Assets.PATH, assets.serve)
    app.on_response_prepare.append(add_headers)
    app.cleanup_ctx.append(_database)
    if instead.runs_jobs:
        app.cleanup_ctx.append(_jobs)
    return app


ROOMS: tuple[Routes, ...] = (health_routes,)

JOB_HANDLERS: Mapping[str, JobHandler] = {}


def _age(value: date | Birth, now: datetime) -> tuple[str, Mapping[str, Param]]:
    birth = value if isinstance(value, Birth) else Birth(value.year, value)
    return age_on(birth, now.astimezone(LOCAL_ZONE).date()).words()


PHRASES: Mapping[str, Phrase] = {"age": _age}


@asynccontextmanager
async def _database(app: web.Application) -> AsyncIterator[None]:
    yield
    await app[DATABASE].close()


@asynccontextmanager
async def _jobs(app: web.Application) -> AsyncIterator[None]:
    app[TASKS].start("jobs", app[JOBS].run_forever())
    yield
    await app[TASKS].close()


