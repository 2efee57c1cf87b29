"""What people do with their own account: password, second factor, other logins, language."""

from __future__ import annotations

from dataclasses import dataclass

from telemed.accounts.activation import store_password
from telemed.accounts.logins import demote_login, revoke_logins, rotate_login
from telemed.accounts.models import Person, SecondFactor
from telemed.accounts.passwords import normalise
from telemed.accounts.permissions import Actor, Role
from telemed.accounts.second_factor import begin_setup
from telemed.accounts.service import (
    Accounts,
    confirm_password,
    forgive_guesses,
    needs_second_factor,
    reauthenticate,
)
from telemed.core.audit import AuditTag
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Invalid
from telemed.core.i18n import LOCALES
from telemed.facilities.models import Facility, Specialty
from telemed.facilities.service import get_facility, list_specialties


@dataclass(frozen=True)
class OwnAccount:
    """What people see of their own account."""

    person: Person
    facility: Facility | None
    specialties: list[Specialty]
    roles: tuple[Role, ...]
    has_second_factor: bool


async def get_own_account(work: UnitOfWork, actor: Actor) -> OwnAccount:
    """The account of whoever asks."""
    person = await work.session.get_one(Person, actor.id)
    factor = await work.session.get(SecondFactor, actor.id)
    known = await list_specialties(work)
    return OwnAccount(
        person=person,
        facility=await get_facility(work, person.facility_id) if person.facility_id else None,
        specialties=[specialty for specialty in known if specialty.id in actor.specialty_ids],
        roles=tuple(role for role in Role if role in actor.roles),
        has_second_factor=factor is not None and factor.confirmed_at is not None,
    )


async def change_password(
    work: UnitOfWork, accounts: Accounts, actor: Actor, *, password: str, new_password: str
) -> str:
    """A new password for the old one; returns the new token of this login, the others end.

    Raises Invalid naming `password` or `new_password`.
    """
    is_coded = await confirm_password(work, accounts, actor, password)
    if normalise(password) == normalise(new_password):
        raise Invalid(
            "password_same", N_("Mật khẩu mới trùng mật khẩu đang dùng"), field="new_password"
        )
    async with accounts.database.read() as reader:
        sign_in_name = (await reader.session.get_one(Person, actor.id)).sign_in_name
    accounts.policy.check(
        new_password,
        field="new_password",
        has_second_factor=is_coded or needs_second_factor(accounts.settings, actor.roles),
        context=(actor.name, sign_in_name),
    )
    password_hash = await accounts.hasher.hash(new_password)
    forgive_guesses(accounts, actor)
    await store_password(work, actor.id, password_hash)
    await revoke_logins(work, actor.id, actor.uid, keep=actor.login_session_id)
    work.audit(AuditTag.PASSWORD_SET, actor, f"person:{actor.uid}", by="change")
    return await rotate_login(work, actor.login_session_id, accounts.limits)


async def renew_second_factor(
    work: UnitOfWork, accounts: Accounts, actor: Actor, *, password: str, code: str
) -> str:
    """Set up an authenticator, or another one; nothing else opens until its code is shown.

    Returns the new token of this login; the others end. Raises Invalid naming the wrong factor.
    """
    await reauthenticate(work, accounts, actor, password=password, code=code)
    await begin_setup(work, accounts.box, actor.id)
    await revoke_logins(work, actor.id, actor.uid, keep=actor.login_session_id)
    work.audit(AuditTag.SECOND_FACTOR_RESET, actor, f"person:{actor.uid}", by="own")
    return await demote_login(work, actor.login_session_id)


async def end_other_logins(work: UnitOfWork, actor: Actor) -> None:
    """End every login of the actor but the one that asks."""
    await revoke_logins(work, actor.id, actor.uid, keep=actor.login_session_id)
    work.audit(AuditTag.LOGIN_REVOKE, actor, f"person:{actor.uid}", all_others=True)


async def change_locale(work: UnitOfWork, actor: Actor, locale: str) -> None:
    """The language of the actor's pages."""
    if locale not in LOCALES:
        raise Invalid("locale_unknown", N_("Chọn một ngôn ngữ có sẵn"), field="locale")
    person = await work.session.get_one(Person, actor.id)
    person.locale = locale
    work.session.add(person)
    await work.session.flush()
