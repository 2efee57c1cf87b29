"""Login sessions: a random id in the browser, its hash here, two expiries, revoked at will."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, update
from sqlmodel import col, select

from telemed.accounts.models import (
    LoginSession,
    LoginStrength,
    Person,
    PersonRole,
    PersonSpecialty,
    PersonState,
    Posting,
    SecondFactor,
)
from telemed.accounts.permissions import Actor, Role
from telemed.core.audit import AuditTag
from telemed.core.clock import LOCAL_ZONE
from telemed.core.config import Settings
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import Missing
from telemed.core.text import initials
from telemed.facilities.models import Facility

TOKEN_BYTES = 32
PENDING_LASTS = timedelta(minutes=10)
TOUCH_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class LoginLimits:
    """How long a login lives unused, and at most."""

    idle: timedelta
    absolute: timedelta

    @classmethod
    def of(cls, settings: Settings) -> LoginLimits:
        """As the installation wants it."""
        return cls(
            timedelta(minutes=settings.login_idle_minutes),
            timedelta(hours=settings.login_absolute_hours),
        )


@dataclass(frozen=True)
class Pending:
    """A sign-in whose second factor is still missing; it opens nothing but its own pages."""

    login_session_id: int
    person_id: int
    person_uid: str
    sign_in_name: str
    is_setup: bool


def hash_token(token: str) -> str:
    """What is stored of a random token: worth nothing to whoever reads the database."""
    return hashlib.sha256(token.encode()).hexdigest()


async def open_login(
    work: UnitOfWork, person_id: int, strength: LoginStrength, limits: LoginLimits, browser: str
) -> str:
    """A new login; returns the token for the browser."""
    token, now = secrets.token_urlsafe(TOKEN_BYTES), work.now()
    is_full = strength is LoginStrength.FULL
    work.session.add(
        LoginSession(
            token_hash=hash_token(token),
            person_id=person_id,
            strength=strength,
            created_at=now,
            last_seen_at=now,
            idle_until=now + limits.idle,
            expires_at=now + (limits.absolute if is_full else PENDING_LASTS),
            browser=browser,
        )
    )
    await work.session.flush()
    return token


async def rotate_login(work: UnitOfWork, login_session_id: int, limits: LoginLimits) -> str:
    """Make a login full under a new token; the old token is dead. Raises Missing."""
    login = await work.session.get(LoginSession, login_session_id)
    if login is None or login.revoked_at is not None:
        raise Missing
    token, now = secrets.token_urlsafe(TOKEN_BYTES), work.now()
    if login.strength is LoginStrength.PASSWORD:
        login.expires_at = now + limits.absolute
    login.token_hash = hash_token(token)
    login.strength = LoginStrength.FULL
    login.last_seen_at, login.idle_until = now, now + limits.idle
    work.session.add(login)
    await work.session.flush()
    return token


async def demote_login(work: UnitOfWork, login_session_id: int) -> str:
    """Take a login back to the step before its second factor, under a new token."""
    login = await work.session.get_one(LoginSession, login_session_id)
    token = secrets.token_urlsafe(TOKEN_BYTES)
    login.token_hash = hash_token(token)
    login.strength = LoginStrength.PASSWORD
    login.expires_at = work.now() + PENDING_LASTS
    work.session.add(login)
    await work.session.flush()
    return token


async def resolve_login(work: UnitOfWork, token: str) -> Actor | None:
    """Whoever holds this token of a full and living login, with today's roles and posting."""
    return await _find_actor(work, col(LoginSession.token_hash) == hash_token(token))


async def resolve_login_session(work: UnitOfWork, login_session_id: int) -> Actor | None:
    """The same by the key of the login: for sockets, which outlive a request."""
    return await _find_actor(work, col(LoginSession.id) == login_session_id)


async def _find_actor(work: UnitOfWork, which: ColumnElement[bool]) -> Actor | None:
    query = (
        select(LoginSession, Person, Facility.name)
        .join(Person, col(Person.id) == col(LoginSession.person_id))
        .outerjoin(Facility, col(Facility.id) == col(Person.facility_id))
        .where(which, *_alive(work.now(), LoginStrength.FULL))
    )
    row = (await work.session.exec(query)).one_or_none()
    if row is None:
        return None
    login, person, place = row
    return await make_actor(work, person, place=place or "", login=login)


def _alive(now: datetime, strength: LoginStrength) -> tuple[ColumnElement[bool], ...]:
    return (
        col(LoginSession.strength) == strength,
        col(LoginSession.revoked_at).is_(None),
        col(LoginSession.expires_at) > now,
        col(LoginSession.idle_until) > now,
        col(Person.state) == PersonState.ACTIVE,
    )


async def make_actor(
    work: UnitOfWork, person: Person, *, place: str = "", login: LoginSession | None = None
) -> Actor:
    """A person as the rules see them today."""
    assert person.id is not None
    roles = await list_roles(work, person.id)
    specialties: frozenset[int] = frozenset()
    if Role.SPECIALIST in roles:
        asked = select(PersonSpecialty.specialty_id).where(
            col(PersonSpecialty.person_id) == person.id
        )
        specialties = frozenset((await work.session.exec(asked)).all())
    posted_to = await _find_posting(work, person.id) if Role.ROTATED_DOCTOR in roles else None
    return Actor(
        id=person.id,
        uid=person.uid,
        name=person.full_name,
        roles=roles,
        facility_id=person.facility_id,
        posted_station_id=posted_to.id if posted_to else None,
        specialty_ids=specialties,
        title=person.title,
        place=posted_to.name if posted_to else place,
        initials=initials(person.full_name),
        locale=person.locale,
        login_session_id=(login.id or 0) if login else 0,
        login_seen_at=login.last_seen_at if login else None,
    )


async def list_roles(work: UnitOfWork, person_id: int) -> frozenset[Role]:
    """The roles that a person holds now."""
    query = select(col(PersonRole.role)).where(col(PersonRole.person_id) == person_id)
    return frozenset((await work.session.exec(query)).all())


async def _find_posting(work: UnitOfWork, person_id: int) -> Facility | None:
    today = work.now().astimezone(LOCAL_ZONE).date()
    query = (
        select(Facility)
        .join(Posting, col(Posting.facility_id) == col(Facility.id))
        .where(
            col(Posting.person_id) == person_id,
            col(Posting.starts_on) <= today,
            col(Posting.ends_on) >= today,
        )
        .order_by(col(Posting.starts_on).desc(), col(Posting.id).desc())
        .limit(1)
    )
    return (await work.session.exec(query)).one_or_none()


async def find_pending(work: UnitOfWork, token: str) -> Pending | None:
    """The sign-in that waits for its second factor under this token, or None."""
    query = (
        select(LoginSession, Person, SecondFactor)
        .join(Person, col(Person.id) == col(LoginSession.person_id))
        .join(SecondFactor, col(SecondFactor.person_id) == col(Person.id))
        .where(
            col(LoginSession.token_hash) == hash_token(token),
            *_alive(work.now(), LoginStrength.PASSWORD),
        )
    )
    row = (await work.session.exec(query)).one_or_none()
    if row is None:
        return None
    login, person, factor = row
    return Pending(
        login.id or 0, factor.person_id, person.uid, person.sign_in_name, not factor.confirmed_at
    )


async def touch_login(database: Database, actor: Actor, limits: LoginLimits) -> None:
    """Somebody did something: put the idle expiry off, at most once a minute.

    For what a person does, never for what a page does by itself.
    """
    now = database.clock.now()
    if actor.login_seen_at is None or now - actor.login_seen_at < TOUCH_EVERY:
        return
    seen = (
        update(LoginSession)
        .where(
            col(LoginSession.id) == actor.login_session_id,
            col(LoginSession.revoked_at).is_(None),
            col(LoginSession.last_seen_at) < now,
        )
        .values(last_seen_at=now, idle_until=now + limits.idle)
        .execution_options(synchronize_session=False)
    )
    async with database.work() as work:
        await work.session.exec(seen)


async def list_logins(work: UnitOfWork, person_id: int) -> list[LoginSession]:
    """The living logins of a person, the latest used first."""
    query = (
        select(LoginSession)
        .join(Person, col(Person.id) == col(LoginSession.person_id))
        .where(
            col(LoginSession.person_id) == person_id,
            *_alive(work.now(), LoginStrength.FULL),
        )
        .order_by(col(LoginSession.last_seen_at).desc(), col(LoginSession.id).desc())
    )
    return list((await work.session.exec(query)).all())


async def revoke_login(work: UnitOfWork, actor: Actor, uid: str) -> LoginSession:
    """End one of the actor's own logins. Raises Missing for anybody else's."""
    query = select(LoginSession).where(
        col(LoginSession.uid) == uid,
        col(LoginSession.person_id) == actor.id,
        col(LoginSession.revoked_at).is_(None),
    )
    login = (await work.session.exec(query)).one_or_none()
    if login is None:
        raise Missing
    await _end(work, actor.id, actor.uid, only=login.id)
    work.audit(AuditTag.LOGIN_REVOKE, actor, f"person:{actor.uid}", login=login.uid)
    return login


async def revoke_logins(
    work: UnitOfWork, person_id: int, person_uid: str, *, keep: int | None = None
) -> None:
    """End every login of a person but one; their sockets are told to ask again who they are."""
    await _end(work, person_id, person_uid, keep=keep)


async def end_login(work: UnitOfWork, person_uid: str, person_id: int, login_id: int) -> None:
    """End one login: its person leaves."""
    await _end(work, person_id, person_uid, only=login_id)


async def _end(
    work: UnitOfWork,
    person_id: int,
    person_uid: str,
    *,
    only: int | None = None,
    keep: int | None = None,
) -> None:
    ending = (
        update(LoginSession)
        .where(col(LoginSession.person_id) == person_id, col(LoginSession.revoked_at).is_(None))
        .values(revoked_at=work.now())
        .execution_options(synchronize_session="fetch")
    )
    if only is not None:
        ending = ending.where(col(LoginSession.id) == only)
    if keep is not None:
        ending = ending.where(col(LoginSession.id) != keep)
    await work.session.exec(ending)
    work.announce(f"person:{person_uid}", "login_revoked", only or 0)
