"""By which ways people are reached, what they chose, and the browsers that take messages."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy import ColumnElement, delete, or_
from sqlmodel import col, select

from telemed.accounts.models import LoginSession, Person, PersonState
from telemed.accounts.permissions import Action, Actor, require
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Invalid, Missing
from telemed.notices.kinds import DEFAULT_WISHES, Channel, QuietHours, Topic, Wishes
from telemed.notices.models import NoticeSetting, PushSubscription

CODE_LIFE: Final = timedelta(minutes=30)
CODE_TRIES: Final = 5
MOST_SUBSCRIPTIONS: Final = 10
_PHONE = re.compile(r"(?:\+?84|0)(\d{9,10})")
# What mail servers take without further ado; RFC 5321 allows more than anybody has.
_MAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63}")
_POINT_BYTES, _AUTH_BYTES = 65, 16


@dataclass(frozen=True)
class Contact:
    """What the outbox needs to know of somebody."""

    uid: str
    wishes: Wishes
    reach: frozenset[Channel]


@dataclass(frozen=True)
class Preferences:
    """What the page of somebody's choices shows."""

    wishes: Wishes
    mail: str
    asked_mail: str
    phone: str
    browsers: Sequence[PushSubscription]
    here: PushSubscription | None
    offered: frozenset[Channel]


def sms_number(phone: str) -> str:
    """A Vietnamese number as gateways take it (E.164), empty for what is none."""
    found = _PHONE.fullmatch(re.sub(r"[\s.()-]", "", phone))
    return f"+84{found[1]}" if found else ""


async def list_contacts(work: UnitOfWork, ids: Collection[int]) -> dict[int, Contact]:
    """Whoever of them is active, and by which of the installation's ways."""
    people = (
        await work.session.exec(
            select(Person, NoticeSetting)
            .outerjoin(NoticeSetting, col(NoticeSetting.person_id) == col(Person.id))
            .where(col(Person.id).in_(ids), Person.state == PersonState.ACTIVE)
        )
    ).all()
    subscribed = select(PushSubscription.person_id).where(
        col(PushSubscription.person_id).in_(ids), _is_living()
    )
    pushed = set((await work.session.exec(subscribed)).all())
    offered = offered_ways(work)
    return {
        person.id or 0: Contact(
            person.uid,
            wishes_of(setting),
            offered & _reach(person, setting, is_pushed=person.id in pushed),
        )
        for person, setting in people
    }


def offered_ways(work: UnitOfWork) -> frozenset[Channel]:
    """The ways that this installation has."""
    ways = {Channel.PUSH}
    if work.settings.mail.host:
        ways.add(Channel.MAIL)
    if work.settings.sms.url:
        ways.add(Channel.SMS)
    return frozenset(ways)


def _is_living() -> ColumnElement[bool]:
    """Nobody has signed out of the browser since it subscribed."""
    login = select(LoginSession.id).where(
        col(LoginSession.id) == col(PushSubscription.login_session_id),
        col(LoginSession.revoked_at).is_not(None),
    )
    return ~login.exists()


def _reach(person: Person, setting: NoticeSetting | None, *, is_pushed: bool) -> frozenset[Channel]:
    ways = {
        Channel.PUSH: is_pushed,
        Channel.MAIL: bool(setting and setting.mail),
        Channel.SMS: bool(sms_number(person.phone)),
    }
    return frozenset(channel for channel, is_open in ways.items() if is_open)


def wishes_of(setting: NoticeSetting | None) -> Wishes:
    """What somebody chose, or the usual."""
    if setting is None:
        return Wishes()
    chosen = DEFAULT_WISHES
    if setting.chosen is not None:
        kept = {tuple(each.split(":")) for each in setting.chosen}
        chosen = frozenset(
            (topic, channel) for topic in Topic for channel in Channel if (topic, channel) in kept
        )
    quiet = None
    if setting.quiet_start is not None and setting.quiet_end is not None:
        quiet = QuietHours(_clock(setting.quiet_start), _clock(setting.quiet_end))
    return Wishes(chosen, quiet)


def _clock(minutes: int) -> time:
    return time(minutes // 60, minutes % 60)


async def read_preferences(work: UnitOfWork, actor: Actor) -> Preferences:
    """What somebody chose."""
    require(actor, Action.ACCOUNT)
    person = await work.session.get_one(Person, actor.id)
    setting = await work.session.get(NoticeSetting, actor.id)
    browsers = await list_subscriptions(work, actor.id)
    is_asked = bool(setting and setting.asked_until and setting.asked_until > work.now())
    return Preferences(
        wishes=wishes_of(setting),
        mail=setting.mail if setting else "",
        asked_mail=setting.asked_mail if setting and is_asked else "",
        phone=person.phone if sms_number(person.phone) else "",
        browsers=browsers,
        here=next((b for b in browsers if b.login_session_id == actor.login_session_id), None),
        offered=offered_ways(work),
    )


async def choose(
    work: UnitOfWork,
    actor: Actor,
    chosen: Collection[tuple[Topic, Channel]],
    quiet: QuietHours | None,
) -> None:
    """Other ways from now on. Raises Invalid for hours that never end."""
    require(actor, Action.ACCOUNT)
    if quiet and quiet.start == quiet.end:
        raise Invalid(
            "quiet_always", N_("Giờ bắt đầu và giờ kết thúc phải khác nhau"), field="quiet_end"
        )
    setting = await _setting(work, actor)
    setting.chosen = sorted(f"{topic}:{channel}" for topic, channel in chosen)
    setting.quiet_start = _minutes(quiet.start) if quiet else None
    setting.quiet_end = _minutes(quiet.end) if quiet else None
    work.session.add(setting)


def _minutes(clock: time) -> int:
    return clock.hour * 60 + clock.minute


async def _setting(work: UnitOfWork, actor: Actor) -> NoticeSetting:
    found = await work.session.get(NoticeSetting, actor.id)
    return found or NoticeSetting(person_id=actor.id)


async def ask_mail(work: UnitOfWork, actor: Actor, address: str) -> str:
    """An address is to be proved by a code, which is returned to be sent there. Raises Invalid."""
    require(actor, Action.ACCOUNT)
    if not _MAIL.fullmatch(address):
        raise Invalid("mail_malformed", N_("Địa chỉ thư ghi như ten@benhvien.vn"), field="mail")
    setting = await _setting(work, actor)
    setting.asked_mail, setting.asked_code = address, f"{secrets.randbelow(10**6):06}"
    setting.asked_until, setting.asked_tries = work.now() + CODE_LIFE, 0
    work.session.add(setting)
    await work.session.flush()
    return setting.asked_code


async def confirm_mail(work: UnitOfWork, actor: Actor, code: str) -> bool:
    """The code that came by mail: the address is theirs. False for another code, which counts.

    Raises Invalid when there is no code to be had any more.
    """
    setting = await _setting(work, actor)
    is_over = setting.asked_until is None or setting.asked_until <= work.now()
    if is_over or setting.asked_tries >= CODE_TRIES:
        raise Invalid("code_over", N_("Mã đã hết hạn. Gửi mã mới."), field="code")
    setting.asked_tries += 1
    is_right = secrets.compare_digest(setting.asked_code.encode(), code.encode())
    if is_right:
        setting.mail = setting.asked_mail
        setting.asked_mail, setting.asked_code, setting.asked_until = "", "", None
    work.session.add(setting)
    return is_right


async def forget_mail(work: UnitOfWork, actor: Actor) -> None:
    """No mail any more."""
    require(actor, Action.ACCOUNT)
    setting = await _setting(work, actor)
    setting.mail = setting.asked_mail = setting.asked_code = ""
    setting.asked_until = None
    work.session.add(setting)


async def list_subscriptions(work: UnitOfWork, person_id: int) -> list[PushSubscription]:
    """The browsers that take messages for somebody."""
    query = select(PushSubscription).where(PushSubscription.person_id == person_id, _is_living())
    return list((await work.session.exec(query.order_by(col(PushSubscription.id)))).all())


async def subscribe(work: UnitOfWork, actor: Actor, endpoint: str, p256dh: str, auth: str) -> None:
    """This browser takes messages for the actor, and for nobody else any more. Raises Invalid."""
    require(actor, Action.ACCOUNT)
    if not is_push_service(work, endpoint):
        raise Invalid(
            "push_service_unknown",
            N_("Trình duyệt này dùng dịch vụ thông báo mà hệ thống chưa cho phép"),
            field="endpoint",
        )
    for name, value, size in (("p256dh", p256dh, _POINT_BYTES), ("auth", auth, _AUTH_BYTES)):
        if len(_decoded(value)) != size:
            raise Invalid("key_malformed", N_("Khóa của trình duyệt chưa đúng dạng"), field=name)
    login = await work.session.get(LoginSession, actor.login_session_id)
    here = col(PushSubscription.login_session_id) == actor.login_session_id
    await work.session.exec(
        delete(PushSubscription).where(or_(col(PushSubscription.endpoint) == endpoint, here))
    )
    found = await list_subscriptions(work, actor.id)
    for oldest in found[: max(0, len(found) - MOST_SUBSCRIPTIONS + 1)]:
        await work.session.delete(oldest)
    work.session.add(
        PushSubscription(
            person_id=actor.id,
            login_session_id=login.id if login else None,
            endpoint=endpoint,
            p256dh=p256dh,
            auth=auth,
            browser=login.browser if login else "",
            created_at=work.now(),
        )
    )


async def unsubscribe(work: UnitOfWork, actor: Actor, uid: str) -> None:
    """A browser takes no messages any more. Raises Missing for one of somebody else."""
    require(actor, Action.ACCOUNT)
    query = select(PushSubscription).where(
        PushSubscription.uid == uid, PushSubscription.person_id == actor.id
    )
    found = (await work.session.exec(query)).one_or_none()
    if found is None:
        raise Missing
    await work.session.delete(found)


def is_push_service(work: UnitOfWork, endpoint: str) -> bool:
    """Whether the server may write to an address that a browser gave it."""
    try:
        parts = urlsplit(endpoint)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if parts.username or parts.password:
        return False
    known = work.settings.push.hosts
    if f"{parts.scheme}://{host}:{port}" in known:
        return True
    return (
        parts.scheme == "https"
        and port in (None, 443)
        and any(host == name or host.endswith(f".{name}") for name in known)
    )


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
