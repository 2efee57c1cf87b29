"""The only composition root: real things are built here, and each can be replaced by argument."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime

from aiohttp import web

from telemed.accounts.audit.views import routes as audit_routes
from telemed.accounts.own.views import routes as own_account_routes
from telemed.accounts.people.views import routes as people_routes
from telemed.accounts.service import Accounts, is_demo_open
from telemed.accounts.throttle import Throttle
from telemed.accounts.views import routes as account_routes
from telemed.consults.case.handling_views import routes as handling_routes
from telemed.consults.case.views import routes as case_routes
from telemed.consults.outcomes.planning import DECIDE_JOB, remind_of_decision, remind_of_outcome
from telemed.consults.outcomes.planning import REMIND_JOB as OUTCOME_JOB
from telemed.consults.outcomes.views import routes as outcome_routes
from telemed.consults.request.views import routes as request_routes
from telemed.consults.rights.reminders import REMIND_JOB as RIGHTS_JOB
from telemed.consults.rights.reminders import remind as remind_of_right
from telemed.consults.rights.views import routes as rights_routes
from telemed.consults.service import EXPIRE_JOB, WATCH_JOB, expire
from telemed.consults.worklist.home_views import routes as home_routes
from telemed.consults.worklist.views import routes as worklist_routes
from telemed.core.anchors import ANCHOR_JOB, anchor, plan_anchors
from telemed.core.clock import LOCAL_ZONE, Clock, SystemClock, TaskOwner
from telemed.core.config import Settings
from telemed.core.db import Announcer, Database
from telemed.core.errors import Param
from telemed.core.i18n import Catalogue
from telemed.core.idempotency import fingerprints
from telemed.core.jobs import Handlers, JobRunner, Together
from telemed.core.paths import LOCALE, STATIC, TEMPLATES
from telemed.demo.state import Synthetic
from telemed.demo.trial import TrialLogins
from telemed.facilities.contracts.views import routes as contract_routes
from telemed.facilities.views import routes as facility_routes
from telemed.imaging.previews import Previewer
from telemed.imaging.storage import DirectoryStorage
from telemed.imaging.views import routes as imaging_routes
from telemed.keys import (
    ACCOUNTS,
    ASSETS,
    CARD_SCANNER,
    CATALOGUE,
    CLOCK,
    DATABASE,
    DELIVERER,
    ECHO,
    FINGERPRINT,
    JOBS,
    MEASURES,
    PREVIEWER,
    PRINTER,
    PUSH_KEY,
    RECORDERS,
    RENDERER,
    SETTINGS,
    SIGNALING,
    STORAGE,
    SYNTHETIC,
    TASKS,
    TRIAL,
)
from telemed.media.echo.process import EchoPeers
from telemed.media.ice import IceServers
from telemed.media.relay.process import RelayProcess
from telemed.notices.deliverer import Deliverer
from telemed.notices.gateways.opening import open_gateways, push_key
from telemed.notices.service import SWEEP_JOB as FORGET_NOTICES_JOB
from telemed.notices.service import plan_sweep as plan_forgetting_notices
from telemed.notices.service import sweep as forget_notices
from telemed.notices.views import routes as notice_routes
from telemed.patients.birth import Age, Birth, age_on
from telemed.patients.merging.service import SETTLE_JOB
from telemed.patients.merging.service import settle as settle_merge
from telemed.patients.merging.views import routes as merging_routes
from telemed.patients.scanning import CardScanner
from telemed.patients.views import routes as patient_routes
from telemed.patients.withdrawal_views import routes as withdrawal_routes
from telemed.printing.printer import Printer
from telemed.review.views import routes as history_routes
from telemed.scheduling.duty.views import routes as duty_routes
from telemed.scheduling.escalation.service import plan_watches, watch
from telemed.scheduling.escalation.views import routes as escalation_routes
from telemed.scheduling.hours_views import routes as hours_routes
from telemed.scheduling.reminders import REMIND_JOB, remind
from telemed.scheduling.views import routes as schedule_routes
from telemed.sessions.jobs import JOBS as SESSION_JOBS
from telemed.sessions.link.drill import plan_drills
from telemed.sessions.link.views import routes as link_routes
from telemed.sessions.minutes_views import routes as minutes_routes
from telemed.sessions.prints.views import routes as print_routes
from telemed.sessions.quality.views import routes as quality_routes
from telemed.sessions.recording.keeping import SWEEP_JOB, plan_sweep
from telemed.sessions.recording.recorders import Recorders, RecordingRooms
from telemed.sessions.recording.views import routes as recording_routes
from telemed.sessions.views import routes as session_routes
from telemed.signaling.forwarder import Relay
from telemed.signaling.server import Signaling
from telemed.training.caselog.views import routes as caselog_routes
from telemed.training.entrustment.acceptance_views import routes as acceptance_routes
from telemed.training.entrustment.rechecks import RECHECK_JOB
from telemed.training.entrustment.rechecks import remind as remind_of_recheck
from telemed.training.entrustment.views import routes as entrustment_routes
from telemed.training.packages.views import routes as package_routes
from telemed.training.rotations.import_views import routes as rotation_import_routes
from telemed.training.rotations.report_views import routes as rotation_report_routes
from telemed.training.rotations.views import routes as rotation_routes
from telemed.training.signature_reminders import REMIND_JOB as SIGNATURE_JOB
from telemed.training.signature_reminders import remind as remind_of_signature
from telemed.training.techniques.views import routes as technique_routes
from telemed.training.transfer_views import routes as transfer_routes
from telemed.web.assets import Assets
from telemed.web.health import routes as health_routes
from telemed.web.middleware import MIDDLEWARES
from telemed.web.rendering import Phrase, Renderer
from telemed.web.routing import ROUTE_TABLE, Routes, RouteTable
from telemed.web.security import add_headers
from telemed.web.showcase import routes as showcase_routes

BODY_LIMIT = 1024 * 1024


@dataclass(frozen=True)
class Overrides:
    """What a test puts in the place of the real thing."""

    clock: Clock | None = None
    announcer: Announcer | None = None
    runs_jobs: bool = True
    recording_rooms: RecordingRooms | None = None
    relay: Relay | None = None


def create_app(settings: Settings, overrides: Overrides | None = None) -> web.Application:
    """The whole application, ready to be served; nothing listens or runs before it starts."""
    instead = overrides or Overrides()
    app = web.Application(client_max_size=BODY_LIMIT, middlewares=MIDDLEWARES)
    app[SETTINGS] = settings
    app[CLOCK] = instead.clock or SystemClock()
    _add_pages(app)
    _add_data(app)
    # Opened first, closed last: what follows still writes while it ends.
    app.cleanup_ctx.append(_database)
    _add_notices(app)
    relay = instead.relay or _add_relay(app)
    _add_recorders(app, instead.recording_rooms or relay)
    _add_signaling(app, instead.announcer, relay)
    app[ROUTE_TABLE] = RouteTable()
    for routes in ROOMS:
        app[ROUTE_TABLE].add(app, routes)
    app.on_response_prepare.append(add_headers)
    if instead.runs_jobs:
        app.cleanup_ctx.append(_jobs)
    return app


def _add_pages(app: web.Application) -> None:
    assets = Assets(STATIC)
    catalogue = Catalogue(LOCALE)
    app[CATALOGUE] = catalogue
    app[ASSETS] = assets
    app[RENDERER] = Renderer(TEMPLATES, catalogue, assets, app[CLOCK], PHRASES)
    folder = app[SETTINGS].data_dir if is_demo_open(app[SETTINGS]) else None
    app[TRIAL] = TrialLogins(folder, app[CLOCK]).of
    app.router.add_get(Assets.PATH, assets.serve)


def _add_data(app: web.Application) -> None:
    settings = app[SETTINGS]
    database = Database(settings.database, clock=app[CLOCK], settings=settings)
    app[DATABASE] = database
    app[ACCOUNTS] = Accounts.open(settings, database)
    app[STORAGE] = DirectoryStorage.prepared(settings.data_dir / "files")
    app[PREVIEWER] = Previewer()
    app[PRINTER] = Printer(settings.signing)
    app.cleanup_ctx.append(_printer)
    app[CARD_SCANNER] = CardScanner()
    app.cleanup_ctx.append(_card_scanner)
    app[MEASURES] = Throttle()
    app[ECHO] = EchoPeers()
    app.cleanup_ctx.append(_echo)
    app[FINGERPRINT] = fingerprints(settings.signing_key())
    app[TASKS] = TaskOwner("app")
    synthetic = Synthetic()
    app[SYNTHETIC] = synthetic.is_seen
    app.on_startup.append(lambda _: synthetic.look(database))


def _add_notices(app: web.Application) -> None:
    settings = app[SETTINGS]
    gateways = open_gateways(settings, app[CATALOGUE], app[CLOCK])
    app[DELIVERER] = Deliverer(app[DATABASE], gateways)
    app[PUSH_KEY] = push_key(settings)

    async def run(_app: web.Application) -> AsyncIterator[None]:
        yield
        await app[DELIVERER].close()

    app.cleanup_ctx.append(run)


def _add_relay(app: web.Application) -> Relay | None:
    """A process that starts with the first room of three; none where the settings say so."""
    settings = app[SETTINGS]
    if not settings.relay:
        return None
    relay = RelayProcess(
        IceServers.of_relay(settings),
        is_turn_only=settings.relay_turn == "only",
        may_be_private=settings.relay_private_candidates,
    )

    async def run(_app: web.Application) -> AsyncIterator[None]:
        yield
        await relay.close()

    app.cleanup_ctx.append(run)
    return relay


def _add_recorders(app: web.Application, rooms: RecordingRooms | None) -> None:
    settings = app[SETTINGS]
    app[RECORDERS] = Recorders(
        app[DATABASE],
        app[STORAGE],
        settings.data_dir / "recordings",
        media=rooms,
        retention_years=settings.recording_retention_years,
    )
    app.cleanup_ctx.append(_recorders)
    app[JOBS] = JobRunner(app[DATABASE], {**JOB_HANDLERS, SWEEP_JOB: app[RECORDERS].keeper.sweep})


def _add_signaling(app: web.Application, announcer: Announcer | None, relay: Relay | None) -> None:
    signaling = Signaling(
        settings=app[SETTINGS],
        database=app[DATABASE],
        catalogue=app[CATALOGUE],
        recorders=app[RECORDERS],
        relay=relay,
    )
    app[DATABASE].announcer = announcer or signaling.announcer
    app[SIGNALING] = signaling
    app[RECORDERS].ways = signaling.forwarder
    signaling.attach(app)


ROOMS: tuple[Routes, ...] = (
    health_routes,
    account_routes,
    own_account_routes,
    notice_routes,
    people_routes,
    facility_routes,
    contract_routes,
    audit_routes,
    patient_routes,
    merging_routes,
    withdrawal_routes,
    imaging_routes,
    home_routes,
    worklist_routes,
    request_routes,
    case_routes,
    handling_routes,
    outcome_routes,
    rights_routes,
    schedule_routes,
    hours_routes,
    duty_routes,
    escalation_routes,
    session_routes,
    quality_routes,
    recording_routes,
    link_routes,
    minutes_routes,
    print_routes,
    rotation_routes,
    rotation_report_routes,
    rotation_import_routes,
    caselog_routes,
    entrustment_routes,
    acceptance_routes,
    package_routes,
    technique_routes,
    transfer_routes,
    history_routes,
    showcase_routes,
)

JOB_HANDLERS: Handlers = {
    **SESSION_JOBS,
    EXPIRE_JOB: expire,
    WATCH_JOB: Together(watch),
    REMIND_JOB: remind,
    SETTLE_JOB: settle_merge,
    RIGHTS_JOB: remind_of_right,
    SIGNATURE_JOB: remind_of_signature,
    RECHECK_JOB: remind_of_recheck,
    OUTCOME_JOB: remind_of_outcome,
    DECIDE_JOB: remind_of_decision,
    ANCHOR_JOB: anchor,
    FORGET_NOTICES_JOB: forget_notices,
}


def _age(value: date | Birth | Age, now: datetime) -> tuple[str, Mapping[str, Param]]:
    if isinstance(value, Age):
        return value.words()
    birth = value if isinstance(value, Birth) else Birth(value.year, value)
    return age_on(birth, now.astimezone(LOCAL_ZONE).date()).words()


PHRASES: Mapping[str, Phrase] = {"age": _age}


@asynccontextmanager
async def _database(app: web.Application) -> AsyncIterator[None]:
    yield
    app[ACCOUNTS].close()
    await app[DATABASE].close()


@asynccontextmanager
async def _recorders(app: web.Application) -> AsyncIterator[None]:
    yield
    await app[RECORDERS].close()


@asynccontextmanager
async def _printer(app: web.Application) -> AsyncIterator[None]:
    yield
    await app[PRINTER].close()


@asynccontextmanager
async def _card_scanner(app: web.Application) -> AsyncIterator[None]:
    yield
    await app[CARD_SCANNER].close()


@asynccontextmanager
async def _echo(app: web.Application) -> AsyncIterator[None]:
    yield
    await app[ECHO].close()


@asynccontextmanager
async def _jobs(app: web.Application) -> AsyncIterator[None]:
    async with app[DATABASE].work() as work:
        await plan_anchors(work)
        await plan_drills(work)
        await plan_watches(work)
        await plan_sweep(work)
        await plan_forgetting_notices(work)
    await app[RECORDERS].resume()
    app[TASKS].start("jobs", app[JOBS].run_forever())
    for channel in app[DELIVERER].channels:
        app[TASKS].start(f"deliver {channel}", app[DELIVERER].run_forever(channel))
    yield
    await app[TASKS].close()
