"""Signing in and out, the second factor, and showing again who one is before a signature."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from sqlalchemy import update
from sqlmodel import col, select

from telemed.accounts.logins import (
    LoginLimits,
    Pending,
    end_login,
    find_pending,
    list_logins,
    list_roles,
    make_actor,
    open_login,
    resolve_login,
    resolve_login_session,
    revoke_login,
    revoke_logins,
    rotate_login,
    touch_login,
)
from telemed.accounts.models import (
    Credential,
    LoginStrength,
    Person,
    PersonRole,
    PersonState,
    SecondFactor,
)
from telemed.accounts.passwords import PasswordHasher, PasswordPolicy
from telemed.accounts.permissions import SECOND_FACTOR_ROLES, Actor, Role
from telemed.accounts.second_factor import SecretBox, begin_setup, match_code, use_step
from telemed.accounts.throttle import NAME, NETWORK, Key, Throttle
from telemed.core.audit import AuditTag
from telemed.core.config import Settings
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import N_, Denied, Invalid, Missing
from telemed.core.records import SignatureMethod

__all__ = [
    "Accounts",
    "Pending",
    "SignedIn",
    "confirm_password",
    "find_pending",
    "finish_sign_in",
    "forgive_guesses",
    "get_setup_secret",
    "is_demo_open",
    "list_logins",
    "needs_second_factor",
    "reauthenticate",
    "resolve_login",
    "resolve_login_session",
    "revoke_login",
    "sign_in",
    "sign_in_demo",
    "sign_out",
    "start_login",
    "touch_login",
]

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_REFUSED = N_("Tên đăng nhập hoặc mật khẩu không đúng")


@dataclass(frozen=True)
class Accounts:
    """What sign-in needs beyond a transaction. Hashing never happens inside one."""

    settings: Settings
    database: Database
    hasher: PasswordHasher
    policy: PasswordPolicy
    box: SecretBox
    throttle: Throttle

    @classmethod
    def open(cls, settings: Settings, database: Database) -> Accounts:
        """Everything as the installation wants it; reads files, so before serving."""
        return cls(
            settings,
            database,
            PasswordHasher.of(settings),
            PasswordPolicy.shipped(),
            SecretBox(settings.signing_key()),
            Throttle(),
        )

    @property
    def limits(self) -> LoginLimits:
        """How long logins live."""
        return LoginLimits.of(self.settings)

    @property
    def activation_lasts(self) -> timedelta:
        """How long an activation code is good for."""
        return timedelta(hours=self.settings.activation_hours)

    def close(self) -> None:
        """Let the threads end."""
        self.hasher.close()


@dataclass(frozen=True)
class SignedIn:
    """A login for the browser; not FULL means that the second factor comes next."""

    token: str
    strength: LoginStrength

    @property
    def is_full(self) -> bool:
        """True when nothing is missing."""
        return self.strength is LoginStrength.FULL


@dataclass(frozen=True)
class _Account:
    person_id: int
    uid: str
    password_hash: str | None


async def sign_in(
    work: UnitOfWork,
    accounts: Accounts,
    *,
    name: str,
    password: str,
    network: str,
    browser: str = "",
) -> SignedIn:
    """First step. Unknown names, wrong passwords and closed accounts get one and the same answer.

    Raises Throttled before anything is looked up, Invalid for a refusal.
    """
    wanted = name.strip().lower()
    by_name, by_network = ("name", wanted, network), ("network", network)
    accounts.throttle.admit([(by_name, NAME), (by_network, NETWORK)], work.now())
    account = await _find_account(accounts.database, wanted)
    stored = account.password_hash if account else None
    verdict = await accounts.hasher.verify(stored, password)
    if account is None or not verdict.is_right:
        subject = f"person:{account.uid}" if account else "person:unknown"
        work.audit_refusal(AuditTag.SIGN_IN_REFUSED, None, subject, step="password")
        raise Invalid("sign_in_refused", _REFUSED, field="password")
    accounts.throttle.forgive(by_name)
    accounts.throttle.give_back(by_network, work.now())
    if verdict.newer_hash:
        await _replace_hash(work, account, verdict.newer_hash)
    return await start_login(work, accounts, account.person_id, browser=browser)


async def _find_account(database: Database, sign_in_name: str) -> _Account | None:
    query = (
        select(col(Person.id), col(Person.uid), col(Credential.password_hash))
        .join(Credential, col(Credential.person_id) == col(Person.id))
        .where(col(Person.sign_in_name) == sign_in_name, col(Person.state) == PersonState.ACTIVE)
    )
    async with database.read() as work:
        row = (await work.session.exec(query)).one_or_none()
    return _Account(row[0] or 0, row[1], row[2]) if row else None


async def _replace_hash(work: UnitOfWork, account: _Account, newer_hash: str) -> None:
    replace = (
        update(Credential)
        .where(
            col(Credential.person_id) == account.person_id,
            col(Credential.password_hash) == account.password_hash,
        )
        .values(password_hash=newer_hash)
        .execution_options(synchronize_session=False)
    )
    await work.session.exec(replace)


async def start_login(
    work: UnitOfWork, accounts: Accounts, person_id: int, *, browser: str
) -> SignedIn:
    """Open a login for somebody who has shown the first factor."""
    person = await work.session.get_one(Person, person_id)
    factor = await work.session.get(SecondFactor, person_id)
    roles = await list_roles(work, person_id)
    strength = LoginStrength.FULL
    if factor is not None or needs_second_factor(accounts.settings, roles):
        strength = LoginStrength.PASSWORD
        if factor is None or factor.confirmed_at is None:
            await begin_setup(work, accounts.box, person_id)
    token = await open_login(work, person_id, strength, accounts.limits, browser)
    actor = await make_actor(work, person)
    work.audit(AuditTag.SIGN_IN, actor, f"person:{person.uid}", strength=strength.value)
    return SignedIn(token, strength)


def needs_second_factor(settings: Settings, roles: frozenset[Role]) -> bool:
    """Whether people of these roles sign in with a second factor."""
    return settings.second_factor_required and not roles.isdisjoint(SECOND_FACTOR_ROLES)


async def finish_sign_in(
    work: UnitOfWork, accounts: Accounts, pending: Pending, *, code: str, network: str
) -> SignedIn:
    """Second step: a code opens the rest, under a new token. Confirms the set-up when it is one."""
    key = ("code", pending.person_uid, network)
    accounts.throttle.admit([(key, NAME)], work.now())
    actor = await make_actor(work, await work.session.get_one(Person, pending.person_id))
    factor = await _spend_code(work, accounts, actor, code, refused=AuditTag.SIGN_IN_REFUSED)
    accounts.throttle.forgive(key)
    token = await rotate_login(work, pending.login_session_id, accounts.limits)
    if factor.confirmed_at is None:
        await _confirm_setup(work, factor, actor, keep=pending.login_session_id)
    work.audit(AuditTag.SIGN_IN, actor, f"person:{actor.uid}", strength=LoginStrength.FULL.value)
    return SignedIn(token, LoginStrength.FULL)


async def _confirm_setup(
    work: UnitOfWork, factor: SecondFactor, actor: Actor, *, keep: int
) -> None:
    await work.session.refresh(factor)
    factor.confirmed_at = work.now()
    work.session.add(factor)
    await work.session.flush()
    await revoke_logins(work, actor.id, actor.uid, keep=keep)
    work.audit(AuditTag.SECOND_FACTOR_SET, actor, f"person:{actor.uid}")


async def get_setup_secret(work: UnitOfWork, accounts: Accounts, pending: Pending) -> str:
    """The secret of an authenticator that is being set up. Raises Missing once it is in use."""
    factor = await work.session.get_one(SecondFactor, pending.person_id)
    if factor.confirmed_at is not None:
        raise Missing
    return accounts.box.open(pending.person_id, factor.secret_encrypted)


async def _spend_code(
    work: UnitOfWork, accounts: Accounts, actor: Actor, code: str, *, refused: AuditTag
) -> SecondFactor:
    factor = await work.session.get_one(SecondFactor, actor.id)
    secret = accounts.box.open(actor.id, factor.secret_encrypted)
    match = match_code(secret, code, work.now(), last_step=factor.last_step)
    if match is None:
        refusal = Invalid(
            "code_wrong",
            N_("Mã không đúng. Nhập 6 chữ số đang hiện trong ứng dụng xác thực."),
            field="code",
        )
    elif match.is_replay or not await use_step(work, actor.id, match.step):
        refusal = Invalid(
            "code_used", N_("Mã này đã dùng. Chờ mã mới (mỗi 30 giây) rồi nhập lại."), field="code"
        )
    else:
        return factor
    work.audit_refusal(refused, actor, f"person:{actor.uid}", refused="code")
    raise refusal


async def sign_out(work: UnitOfWork, actor: Actor) -> None:
    """End the login that asks, at the server."""
    await end_login(work, actor.uid, actor.id, actor.login_session_id)
    work.audit(AuditTag.SIGN_OUT, actor, f"person:{actor.uid}")


async def reauthenticate(
    work: UnitOfWork, accounts: Accounts, actor: Actor, *, password: str, code: str = ""
) -> SignatureMethod:
    """Show again who one is, before a signature. Call it before anything is written.

    Raises Invalid naming `password` or `code`.
    """
    is_coded = await confirm_password(work, accounts, actor, password)
    if is_coded:
        await _spend_code(work, accounts, actor, code, refused=AuditTag.REAUTHENTICATE)
    forgive_guesses(accounts, actor)
    method = SignatureMethod.PASSWORD_AND_CODE if is_coded else SignatureMethod.PASSWORD
    work.audit(AuditTag.REAUTHENTICATE, actor, f"person:{actor.uid}", method=method.value)
    return method


async def confirm_password(
    work: UnitOfWork, accounts: Accounts, actor: Actor, password: str
) -> bool:
    """Check the actor's own password; True when a second factor is set up as well.

    Each call counts as a guess until `forgive_guesses`. Raises Invalid naming `password`.
    """
    accounts.throttle.admit([(_again(actor), NAME)], work.now())
    stored, is_coded = await _find_factors(accounts.database, actor.id)
    verdict = await accounts.hasher.verify(stored, password)
    if not verdict.is_right:
        work.audit_refusal(
            AuditTag.REAUTHENTICATE, actor, f"person:{actor.uid}", refused="password"
        )
        raise Invalid("password_wrong", N_("Mật khẩu không đúng"), field="password")
    return is_coded


def forgive_guesses(accounts: Accounts, actor: Actor) -> None:
    """Whoever guessed has shown who they are."""
    accounts.throttle.forgive(_again(actor))


def _again(actor: Actor) -> Key:
    return ("again", actor.uid, str(actor.login_session_id))


async def _find_factors(database: Database, person_id: int) -> tuple[str | None, bool]:
    query = (
        select(col(Credential.password_hash), col(SecondFactor.confirmed_at))
        .outerjoin(SecondFactor, col(SecondFactor.person_id) == col(Credential.person_id))
        .where(col(Credential.person_id) == person_id)
    )
    async with database.read() as work:
        row = (await work.session.exec(query)).one_or_none()
    return (row[0], row[1] is not None) if row else (None, False)


def is_demo_open(settings: Settings) -> bool:
    """Whether one may try a role without a password: a demo that only this machine reaches."""
    host = urlsplit(settings.origin).hostname
    return settings.demo and settings.is_loopback and host in _LOOPBACK


async def sign_in_demo(
    work: UnitOfWork, accounts: Accounts, role: Role, *, browser: str = ""
) -> SignedIn:
    """Sign in as the first made-up person of a role. Raises Denied anywhere but in a demo."""
    if not is_demo_open(accounts.settings):
        raise Denied
    query = (
        select(Person)
        .join(PersonRole, col(PersonRole.person_id) == col(Person.id))
        .where(
            col(PersonRole.role) == role,
            col(Person.is_synthetic),
            col(Person.state) == PersonState.ACTIVE,
        )
        .order_by(col(Person.id))
        .limit(1)
    )
    person = (await work.session.exec(query)).one_or_none()
    if person is None or person.id is None:
        raise Missing
    token = await open_login(work, person.id, LoginStrength.FULL, accounts.limits, browser)
    actor = await make_actor(work, person)
    work.audit(AuditTag.SIGN_IN, actor, f"person:{person.uid}", demo=role.value)
    return SignedIn(token, LoginStrength.FULL)
