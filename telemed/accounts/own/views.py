"""Pages of one's own account."""

from __future__ import annotations

from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from telemed.accounts.own.service import (
    change_locale,
    change_password,
    end_other_logins,
    get_own_account,
    renew_second_factor,
)
from telemed.accounts.permissions import Action
from telemed.accounts.service import list_logins, revoke_login
from telemed.accounts.views import (
    LOCALE_NAMES,
    SECOND_FACTOR,
    SIGN_IN,
    Secret,
    refuse_unequal,
)
from telemed.core.errors import N_, Invalid
from telemed.keys import ACCOUNTS, WORK, signed_in
from telemed.web.cookies import clear_login_token, set_locale, set_login_token
from telemed.web.menu import ROLE_TITLES
from telemed.web.parsing import Body, read_body
from telemed.web.rendering import add_notices, invalid_page, page, see_other
from telemed.web.routing import Routes, Values

routes = Routes()
add_notices(
    {
        "password_changed": N_("Mật khẩu đã đổi. Các máy khác đã bị đăng xuất."),
        "login_ended": N_("Máy đó đã bị đăng xuất"),
        "others_ended": N_("Các máy khác đã bị đăng xuất"),
    }
)


class PasswordForm(Body):
    """The old password, and the new one twice."""

    password: Secret
    new_password: Secret
    repeated: Secret


class RenewForm(Body):
    """Both factors as they are now; the code only where there is one."""

    password: Secret
    code: Annotated[str, Field(max_length=20)] = ""


class LocaleForm(Body):
    """A language."""

    locale: Annotated[str, Field(max_length=2)]


@routes.get("/account", Action.ACCOUNT)
async def show(request: web.Request) -> web.Response:
    """Who I am here, and where I am signed in."""
    work, actor = request[WORK], signed_in(request)
    return page(
        request,
        "accounts/account.html",
        account=await get_own_account(work, actor),
        role_titles=ROLE_TITLES,
        locales=LOCALE_NAMES,
        logins=await list_logins(work, actor.id),
        current=actor.login_session_id,
    )


@routes.get("/account/password", Action.ACCOUNT)
async def show_password(request: web.Request) -> web.Response:
    """The form for a new password."""
    return page(request, "accounts/password.html", errors={}, **await _factor(request))


async def _password_again(request: web.Request, error: Invalid, _values: Values) -> web.Response:
    return invalid_page(request, "accounts/password.html", error, **await _factor(request))


async def _factor(request: web.Request) -> dict[str, Any]:
    account = await get_own_account(request[WORK], signed_in(request))
    return {"has_second_factor": account.has_second_factor}


@routes.post("/account/password", Action.ACCOUNT, on_invalid=_password_again)
async def set_password(request: web.Request) -> web.Response:
    """A new password for the old one."""
    form = await read_body(request, PasswordForm)
    refuse_unequal(form.new_password, form.repeated)
    token = await change_password(
        request[WORK],
        request.app[ACCOUNTS],
        signed_in(request),
        password=form.password,
        new_password=form.new_password,
    )
    response = see_other(request, "/account", notice="password_changed")
    set_login_token(request, response, token)
    return response


@routes.get("/account/second-factor", Action.ACCOUNT)
async def show_renewal(request: web.Request) -> web.Response:
    """What is needed before another authenticator is set up."""
    return page(request, "accounts/renew_factor.html", errors={}, **await _factor(request))


async def _renewal_again(request: web.Request, error: Invalid, _values: Values) -> web.Response:
    return invalid_page(request, "accounts/renew_factor.html", error, **await _factor(request))


@routes.post("/account/second-factor", Action.ACCOUNT, on_invalid=_renewal_again)
async def renew(request: web.Request) -> web.Response:
    """Go on to set up an authenticator; until that is done nothing else opens."""
    form = await read_body(request, RenewForm)
    token = await renew_second_factor(
        request[WORK],
        request.app[ACCOUNTS],
        signed_in(request),
        password=form.password,
        code=form.code,
    )
    response = see_other(request, f"{SECOND_FACTOR}?next=/account")
    set_login_token(request, response, token)
    return response


@routes.post("/account/language", Action.ACCOUNT)
async def set_language(request: web.Request) -> web.Response:
    """Pages in another language, here and at the next sign-in."""
    form = await read_body(request, LocaleForm)
    await change_locale(request[WORK], signed_in(request), form.locale)
    response = see_other(request, "/account")
    set_locale(request, response, form.locale)
    return response


@routes.post("/account/logins/end-others", Action.ACCOUNT)
async def end_others(request: web.Request) -> web.Response:
    """Sign out everywhere but here."""
    await end_other_logins(request[WORK], signed_in(request))
    return see_other(request, "/account", notice="others_ended")


@routes.post("/account/logins/{uid}/end", Action.ACCOUNT)
async def end_one(request: web.Request) -> web.Response:
    """Sign out on one browser, which may be this one."""
    actor = signed_in(request)
    ended = await revoke_login(request[WORK], actor, request.match_info["uid"])
    if ended.id != actor.login_session_id:
        return see_other(request, "/account", notice="login_ended")
    response = see_other(request, SIGN_IN, notice="signed_out")
    clear_login_token(request, response)
    return response
