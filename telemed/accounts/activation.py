"""Activation codes: an administrator hands one over, the person chooses the password."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import update
from sqlmodel import col, select

from telemed.accounts.logins import list_roles, revoke_logins
from telemed.accounts.models import (
    ActivationCode,
    Credential,
    Person,
    PersonState,
    SecondFactor,
)
from telemed.accounts.permissions import Actor
from telemed.accounts.service import Accounts, SignedIn, needs_second_factor, start_login
from telemed.accounts.throttle import NAME
from telemed.core.audit import AuditTag
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import N_, Invalid

# Without letters that are read as digits; what a person types instead is understood.
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MISREAD = str.maketrans("OIL", "011", " -–\t")
_CODE_LENGTH = 20


@dataclass(frozen=True)
class Invitation:
    """An activation code that is still good, and whose it is."""

    code_id: int
    person_id: int
    names: tuple[str, str]
    has_second_factor: bool


async def issue_code(
    work: UnitOfWork, lasts: timedelta, actor: Actor | None, person: Person
) -> str:
    """A new code, to be shown once; codes given before are void."""
    assert person.id is not None
    void = (
        update(ActivationCode)
        .where(col(ActivationCode.person_id) == person.id, col(ActivationCode.used_at).is_(None))
        .values(used_at=work.now())
        .execution_options(synchronize_session=False)
    )
    await work.session.exec(void)
    code = "".join(secrets.choice(_LETTERS) for _ in range(_CODE_LENGTH))
    work.session.add(
        ActivationCode(person_id=person.id, code_hash=_hash(code), expires_at=work.now() + lasts)
    )
    await work.session.flush()
    work.audit(AuditTag.ACTIVATION_ISSUE, actor, f"person:{person.uid}")
    return "-".join(code[start : start + 4] for start in range(0, _CODE_LENGTH, 4))


async def activate(
    work: UnitOfWork,
    accounts: Accounts,
    *,
    code: str,
    new_password: str,
    network: str,
    browser: str = "",
) -> SignedIn:
    """Spend a code on a password of one's own, and start to sign in with it.

    A second factor that was set up stays. Raises Invalid naming `code` or `new_password`.
    """
    key = ("activate", network)
    accounts.throttle.admit([(key, NAME)], work.now())
    invitation = await _find_invitation(accounts, code)
    if invitation is None:
        work.audit_refusal(AuditTag.SIGN_IN_REFUSED, None, "person:unknown", step="activation")
        raise _bad_code()
    accounts.throttle.give_back(key, work.now())
    accounts.policy.check(
        new_password,
        field="new_password",
        has_second_factor=invitation.has_second_factor,
        context=invitation.names,
    )
    password_hash = await accounts.hasher.hash(new_password)
    await _spend(work, invitation)
    person = await work.session.get_one(Person, invitation.person_id, with_for_update=True)
    if person.state is PersonState.DISABLED:
        raise _bad_code()
    person.state = PersonState.ACTIVE
    work.session.add(person)
    await store_password(work, invitation.person_id, password_hash)
    await revoke_logins(work, invitation.person_id, person.uid)
    signed_in = await start_login(work, accounts, invitation.person_id, browser=browser)
    work.audit(AuditTag.PASSWORD_SET, None, f"person:{person.uid}", by="activation")
    return signed_in


async def store_password(work: UnitOfWork, person_id: int, password_hash: str) -> None:
    """Keep a hash as the person's one password."""
    credential = await work.session.get(Credential, person_id)
    if credential is None:
        credential = Credential(person_id=person_id, password_hash="", changed_at=work.now())
    credential.password_hash = password_hash
    credential.changed_at = work.now()
    work.session.add(credential)
    await work.session.flush()


async def _find_invitation(accounts: Accounts, code: str) -> Invitation | None:
    database: Database = accounts.database
    query = (
        select(ActivationCode, Person, SecondFactor)
        .join(Person, col(Person.id) == col(ActivationCode.person_id))
        .outerjoin(SecondFactor, col(SecondFactor.person_id) == col(Person.id))
        .where(
            col(ActivationCode.code_hash) == _hash(code),
            col(ActivationCode.used_at).is_(None),
            col(ActivationCode.expires_at) > database.clock.now(),
            col(Person.state) != PersonState.DISABLED,
        )
    )
    async with database.read() as work:
        row = (await work.session.exec(query)).one_or_none()
        if row is None:
            return None
        invited, person, factor = row
        roles = await list_roles(work, invited.person_id)
    is_coded = factor is not None or needs_second_factor(accounts.settings, roles)
    names = (person.full_name, person.sign_in_name)
    return Invitation(invited.id or 0, invited.person_id, names, is_coded)


async def _spend(work: UnitOfWork, invitation: Invitation) -> None:
    spend = (
        update(ActivationCode)
        .where(col(ActivationCode.id) == invitation.code_id, col(ActivationCode.used_at).is_(None))
        .values(used_at=work.now())
        .execution_options(synchronize_session=False)
    )
    if (await work.session.exec(spend)).rowcount != 1:
        raise _bad_code()


def _hash(code: str) -> str:
    return hashlib.sha256(code.upper().translate(_MISREAD).encode()).hexdigest()


def _bad_code() -> Invalid:
    return Invalid(
        "code_unusable",
        N_("Mã không đúng, đã dùng hoặc đã quá hạn. Xin người quản trị mã mới."),
        field="code",
    )
