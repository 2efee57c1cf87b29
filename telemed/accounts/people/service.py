"""Accounts as administrators look after them. Passwords are nobody's business but their owner's."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from telemed.accounts.activation import issue_code
from telemed.accounts.logins import list_roles, revoke_logins
from telemed.accounts.models import (
    Credential,
    Person,
    PersonRole,
    PersonSpecialty,
    PersonState,
    SecondFactor,
)
from telemed.accounts.people.details import (
    CheckedDetails,
    PersonDetails,
    check_details,
    check_sign_in_name,
)
from telemed.accounts.people.repository import (
    find_person_by_sign_in_name,
    get_person,
    has_administrator,
)
from telemed.accounts.permissions import Action, Actor, Role, require
from telemed.accounts.second_factor import SecretBox, begin_setup
from telemed.core.audit import AuditTag
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import N_, Conflict, Invalid, Missing
from telemed.core.text import clean_line, fold, sort_key_vi

ACTIVATION_LASTS = timedelta(hours=72)


async def create_person(
    work: UnitOfWork,
    actor: Actor,
    *,
    sign_in_name: str,
    details: PersonDetails,
    lasts: timedelta = ACTIVATION_LASTS,
) -> tuple[Person, str]:
    """A new account and the activation code to hand over. Raises Invalid naming each wrong field."""
    require(actor, Action.PEOPLE_WRITE)
    checked = await check_details(work, details, sign_in_name=sign_in_name)
    person = Person(
        sign_in_name=checked.sign_in_name,
        full_name="",
        folded_name="",
        sort_key="",
        created_at=work.now(),
    )
    _write_details(person, checked)
    await _insert(work, person)
    await _write_roles(work, person, details.roles, checked.specialty_ids)
    work.audit(AuditTag.PERSON_CREATE, actor, f"person:{person.uid}", roles=sorted(details.roles))
    return person, await issue_code(work, lasts, actor, person)


async def _insert(work: UnitOfWork, person: Person) -> None:
    taken = Invalid(
        "sign_in_name_taken", N_("Tên đăng nhập này đã có người dùng"), field="sign_in_name"
    )
    if await find_person_by_sign_in_name(work, person.sign_in_name) is not None:
        raise taken
    try:
        async with work.session.begin_nested():
            work.session.add(person)
    except IntegrityError as error:
        raise taken from error


def _write_details(person: Person, checked: CheckedDetails) -> None:
    person.full_name = checked.full_name
    person.folded_name = fold(checked.full_name)
    person.sort_key = sort_key_vi(checked.full_name, by_given_name=True)
    person.title = checked.title
    person.licence_number = checked.licence_number
    person.phone = checked.phone
    person.facility_id = checked.facility_id
    person.department_id = checked.department_id


async def _write_roles(
    work: UnitOfWork, person: Person, roles: Collection[Role], specialty_ids: Collection[int]
) -> None:
    assert person.id is not None
    for model in (PersonRole, PersonSpecialty):
        await work.session.exec(delete(model).where(col(model.person_id) == person.id))
    work.session.add_all(PersonRole(person_id=person.id, role=role) for role in sorted(roles))
    work.session.add_all(
        PersonSpecialty(person_id=person.id, specialty_id=specialty_id)
        for specialty_id in sorted(specialty_ids)
    )
    await work.session.flush()


async def change_person(
    work: UnitOfWork, actor: Actor, uid: str, details: PersonDetails, *, revision: int
) -> Person:
    """Correct an account. A change of roles or workplace ends the person's logins.

    Raises Conflict when somebody saved since `revision`, or for one's own roles.
    """
    require(actor, Action.PEOPLE_WRITE)
    person = await get_person(work, uid)
    assert person.id is not None
    if person.revision != revision:
        raise Conflict(
            "person_changed", N_("Tài khoản vừa được người khác đổi. Tải lại để xem bản mới.")
        )
    roles = await list_roles(work, person.id)
    if person.id == actor.id and roles != details.roles:
        raise Conflict("own_role", N_("Bạn không tự đổi vai trò của mình. Nhờ quản trị khác."))
    checked = await check_details(work, details)
    has_moved = roles != details.roles or person.facility_id != checked.facility_id
    _write_details(person, checked)
    work.session.add(person)
    await _write_roles(work, person, details.roles, checked.specialty_ids)
    if has_moved and person.id != actor.id:
        await revoke_logins(work, person.id, person.uid)
    work.audit(AuditTag.PERSON_CHANGE, actor, f"person:{uid}", roles=sorted(details.roles))
    return person


async def issue_activation_code(
    work: UnitOfWork, actor: Actor, uid: str, *, lasts: timedelta = ACTIVATION_LASTS
) -> tuple[Person, str]:
    """A code with which a person sets a password anew; a second factor stays as it is."""
    person = await _get_other(work, actor, uid)
    if person.state is PersonState.DISABLED:
        raise Conflict("person_disabled", N_("Tài khoản đang khóa. Mở khóa trước khi cấp mã."))
    return person, await issue_code(work, lasts, actor, person)


async def disable_person(work: UnitOfWork, actor: Actor, uid: str) -> Person:
    """Shut an account at once: no sign-in, no living login."""
    person = await _get_other(work, actor, uid)
    return await _set_state(work, actor, person, PersonState.DISABLED)


async def enable_person(work: UnitOfWork, actor: Actor, uid: str) -> Person:
    """Open an account again; whoever never had a password still needs a code."""
    person = await _get_other(work, actor, uid)
    has_password = await work.session.get(Credential, person.id) is not None
    state = PersonState.ACTIVE if has_password else PersonState.INVITED
    return await _set_state(work, actor, person, state)


async def _set_state(work: UnitOfWork, actor: Actor, person: Person, state: PersonState) -> Person:
    assert person.id is not None
    person.state = state
    work.session.add(person)
    await work.session.flush()
    await revoke_logins(work, person.id, person.uid)
    work.audit(AuditTag.PERSON_CHANGE, actor, f"person:{person.uid}", state=state.value)
    return person


async def reset_second_factor(work: UnitOfWork, actor: Actor, box: SecretBox, uid: str) -> Person:
    """Somebody lost the authenticator: the next sign-in sets up another one."""
    person = await _get_other(work, actor, uid)
    assert person.id is not None
    if await work.session.get(SecondFactor, person.id) is None:
        raise Conflict("no_second_factor", N_("Tài khoản này chưa cài ứng dụng xác thực"))
    await begin_setup(work, box, person.id)
    await revoke_logins(work, person.id, person.uid)
    work.audit(AuditTag.SECOND_FACTOR_RESET, actor, f"person:{uid}", by="administrator")
    return person


async def end_logins(work: UnitOfWork, actor: Actor, uid: str) -> Person:
    """Sign a person out everywhere."""
    person = await _get_other(work, actor, uid)
    assert person.id is not None
    await revoke_logins(work, person.id, person.uid)
    work.audit(AuditTag.LOGIN_REVOKE, actor, f"person:{uid}", by="administrator")
    return person


async def _get_other(work: UnitOfWork, actor: Actor, uid: str) -> Person:
    require(actor, Action.PEOPLE_WRITE)
    person = await get_person(work, uid)
    if person.id == actor.id:
        raise Conflict("own_account", N_("Tài khoản của chính bạn: làm ở trang Tài khoản của tôi"))
    return person


async def create_first_administrator(
    database: Database,
    sign_in_name: str,
    full_name: str,
    *,
    lasts: timedelta = ACTIVATION_LASTS,
) -> str:
    """The account that makes all others; returns its activation code.

    For the command line. Raises Conflict once somebody looks after the installation.
    """
    async with database.work() as work:
        if await has_administrator(work):
            raise Conflict(
                "administrator_exists", N_("Đã có quản trị. Nhờ quản trị cấp tài khoản.")
            )
        checked = CheckedDetails(full_name=clean_line(full_name))
        if not checked.full_name:
            raise Invalid("name_missing", N_("Ghi họ và tên"), field="full_name")
        person = Person(
            sign_in_name=check_sign_in_name(sign_in_name),
            full_name="",
            folded_name="",
            sort_key="",
            created_at=work.now(),
        )
        _write_details(person, checked)
        await _insert(work, person)
        await _write_roles(work, person, {Role.ADMINISTRATOR}, ())
        work.audit(AuditTag.PERSON_CREATE, None, f"person:{person.uid}", by="command")
        return await issue_code(work, lasts, None, person)


async def issue_code_by_command(
    database: Database, sign_in_name: str, *, lasts: timedelta = ACTIVATION_LASTS
) -> str:
    """A new activation code for whoever can reach the machine itself: nobody else may be left.

    Raises Missing for an unknown name, Conflict for a disabled account.
    """
    async with database.work() as work:
        person = await find_person_by_sign_in_name(work, sign_in_name.strip().lower())
        if person is None:
            raise Missing
        if person.state is PersonState.DISABLED:
            raise Conflict("person_disabled", N_("Tài khoản đang khóa. Mở khóa trước khi cấp mã."))
        return await issue_code(work, lasts, None, person)
