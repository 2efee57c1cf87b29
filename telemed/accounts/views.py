"""Pages of whoever is not yet inside: sign-in, second factor, activation, a demo's roles."""

from __future__ import annotations

from typing import Annotated, Any

from aiohttp import web
from pydantic import Field, StringConstraints
from yarl import URL

from telemed.accounts.activation import activate
from telemed.accounts.browser import describe_browser
from telemed.accounts.permissions import Action, Role
from telemed.accounts.second_factor import grouped, setup_image
from telemed.accounts.service import (
    Pending,
    SignedIn,
    find_pending,
    finish_sign_in,
    get_setup_secret,
    is_demo_open,
    sign_in,
    sign_in_demo,
    sign_out,
)
from telemed.accounts.throttle import network_of
from telemed.core.errors import N_, Invalid, Missing
from telemed.core.i18n import LOCALES
from telemed.keys import ACCOUNTS, ACTOR, DATABASE, LOCALE, SETTINGS, WORK, signed_in
from telemed.web.addresses import client_address, is_loopback
from telemed.web.cookies import clear_login_token, login_token, set_locale, set_login_token
from telemed.web.parsing import Body, read_body, read_query
from telemed.web.rendering import add_notices, invalid_page, page, see_other
from telemed.web.routing import Routes, Values

routes = Routes()
add_notices(
    {
        "signed_out": N_("Bạn đã đăng xuất"),
        "second_factor_set": N_("Ứng dụng xác thực đã dùng được. Lần sau đăng nhập cần mã."),
    }
)

SIGN_IN = "/sign-in"
SECOND_FACTOR = "/sign-in/second-factor"
LONGEST_INPUT = 1000

# Each language is called by its own name in all of them.
LOCALE_NAMES = {"vi": N_("Tiếng Việt"), "en": N_("English")}

# Blanks at the ends of a password are part of it.
Secret = Annotated[
    str, StringConstraints(strip_whitespace=False, min_length=1, max_length=LONGEST_INPUT)
]
Local = Annotated[str, Field(max_length=500)]
TRY_ROLES = (Role.COMMUNE_DOCTOR, Role.SPECIALIST, Role.TRAINER, Role.COORDINATOR)


class NextQuery(Body):
    """Where to go on after signing in."""

    next: Local = ""


class SignInForm(Body):
    """The first step."""

    name: Annotated[str, Field(min_length=1, max_length=40)]
    password: Secret
    next: Local = ""


class CodeForm(Body):
    """The second step."""

    code: Annotated[str, Field(min_length=1, max_length=20)]
    next: Local = ""


class ActivationForm(Body):
    """A code that was handed over, and the password of one's own."""

    code: Annotated[str, Field(min_length=1, max_length=60)]
    new_password: Secret
    repeated: Secret


def same_site(target: str, otherwise: str) -> str:
    """A path of this site; anything else becomes the other one."""
    is_plain = target.isascii() and target.isprintable() and not set("\\ ") & set(target)
    is_own = target.startswith("/") and not target.startswith("//")
    return target if is_plain and is_own else otherwise


def local_path(target: str) -> str:
    """Where to go on to once inside: a path of this site that is not the way in."""
    path = same_site(target, "/home")
    return "/home" if path.startswith((SIGN_IN, "/activate", "/language")) else path


def _is_demo(request: web.Request) -> bool:
    return is_demo_open(request.app[SETTINGS]) and is_loopback(client_address(request))


def _network(request: web.Request) -> str:
    return network_of(client_address(request))


def _browser(request: web.Request) -> str:
    return describe_browser(request.headers.get("User-Agent", ""))


def _go_on(request: web.Request, signed: SignedIn, target: str) -> web.Response:
    goal = local_path(target)
    if not signed.is_full:
        goal = str(URL.build(path=SECOND_FACTOR, query={"next": goal}))
    response = see_other(request, goal)
    set_login_token(request, response, signed.token)
    return response


def languages_of(request: web.Request) -> list[dict[str, str]]:
    """Links to this page in the other languages, each called by its own name."""
    here = request.path_qs if request.method == "GET" else request.path
    return [
        {
            "code": locale,
            "label": LOCALE_NAMES[locale],
            "url": str(URL.build(path=f"/language/{locale}", query={"next": here})),
        }
        for locale in LOCALES
        if locale != request[LOCALE]
    ]


@routes.get("/language/{locale:[a-z]{2}}", Action.PUBLIC)
async def choose_language(request: web.Request) -> web.Response:
    """Speak another language in this browser until it is closed."""
    locale = request.match_info["locale"]
    if locale not in LOCALES:
        raise Missing
    response = see_other(request, same_site(read_query(request, NextQuery).next, SIGN_IN))
    set_locale(request, response, locale)
    return response


@routes.get(SIGN_IN, Action.PUBLIC)
async def show_sign_in(request: web.Request) -> web.Response:
    """The first page of all."""
    target = read_query(request, NextQuery).next
    if request[ACTOR] is not None:
        return see_other(request, local_path(target))
    return page(request, "accounts/sign_in.html", **_sign_in_page(request, target))


def _sign_in_page(request: web.Request, target: str) -> dict[str, Any]:
    return {
        "languages": languages_of(request),
        "next": local_path(target),
        "name": "",
        "errors": {},
        "try_roles": [role.value for role in TRY_ROLES] if _is_demo(request) else [],
    }


async def _sign_in_again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    context = _sign_in_page(request, str(values.get("next", "")))
    context["name"] = str(values.get("name", ""))[:40]
    del context["errors"]
    return invalid_page(request, "accounts/sign_in.html", error, **context)


@routes.post(SIGN_IN, Action.PUBLIC, on_invalid=_sign_in_again)
async def check_sign_in(request: web.Request) -> web.Response:
    """Name and password; the code comes next where one is needed."""
    form = await read_body(request, SignInForm)
    signed = await sign_in(
        request[WORK],
        request.app[ACCOUNTS],
        name=form.name,
        password=form.password,
        network=_network(request),
        browser=_browser(request),
    )
    await _leave_login_before(request)
    return _go_on(request, signed, form.next)


async def _leave_login_before(request: web.Request) -> None:
    """Whoever was signed in on this browser is not any more."""
    before = request[ACTOR]
    if before is not None:
        await sign_out(request[WORK], before)


async def _find_pending(request: web.Request) -> Pending | None:
    token = login_token(request)
    if not token:
        return None
    async with request.app[DATABASE].read() as work:
        return await find_pending(work, token)


async def _code_page(request: web.Request, pending: Pending, target: str) -> dict[str, Any]:
    context: dict[str, Any] = {
        "languages": languages_of(request),
        "next": local_path(target),
        "sign_in_name": pending.sign_in_name,
        "secret": "",
        "image": "",
    }
    if pending.is_setup:
        async with request.app[DATABASE].read() as work:
            secret = await get_setup_secret(work, request.app[ACCOUNTS], pending)
        context["secret"] = grouped(secret)
        context["image"] = setup_image(secret, pending.sign_in_name)
    return context


@routes.get(SECOND_FACTOR, Action.PUBLIC)
async def show_second_factor(request: web.Request) -> web.Response:
    """The code, or how to set the authenticator up."""
    target = read_query(request, NextQuery).next
    pending = await _find_pending(request)
    if pending is None:
        return see_other(request, SIGN_IN)
    context = await _code_page(request, pending, target)
    return page(request, "accounts/second_factor.html", errors={}, **context)


async def _code_again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    pending = await _find_pending(request)
    if pending is None:
        return see_other(request, SIGN_IN)
    context = await _code_page(request, pending, str(values.get("next", "")))
    return invalid_page(request, "accounts/second_factor.html", error, **context)


@routes.post(SECOND_FACTOR, Action.PUBLIC, on_invalid=_code_again)
async def check_second_factor(request: web.Request) -> web.Response:
    """A right code opens everything, under a new cookie."""
    form = await read_body(request, CodeForm)
    pending = await _find_pending(request)
    if pending is None:
        return see_other(request, SIGN_IN)
    signed = await finish_sign_in(
        request[WORK],
        request.app[ACCOUNTS],
        pending,
        code=form.code,
        network=_network(request),
    )
    notice = "second_factor_set" if pending.is_setup else None
    response = see_other(request, local_path(form.next), notice=notice)
    set_login_token(request, response, signed.token)
    return response


@routes.post("/sign-out", Action.SIGN_OUT)
async def leave(request: web.Request) -> web.Response:
    """End this login at the server and in the browser."""
    await sign_out(request[WORK], signed_in(request))
    response = see_other(request, SIGN_IN, notice="signed_out")
    clear_login_token(request, response)
    return response


@routes.get("/activate", Action.PUBLIC)
async def show_activation(request: web.Request) -> web.Response:
    """Where a code is typed that an administrator handed over."""
    languages = languages_of(request)
    return page(request, "accounts/activate.html", languages=languages, errors={}, code="")


async def _activation_again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    return invalid_page(
        request,
        "accounts/activate.html",
        error,
        languages=languages_of(request),
        code=str(values.get("code", ""))[:60],
    )


@routes.post("/activate", Action.PUBLIC, on_invalid=_activation_again)
async def check_activation(request: web.Request) -> web.Response:
    """A password of one's own for a code that works once."""
    form = await read_body(request, ActivationForm)
    refuse_unequal(form.new_password, form.repeated)
    signed = await activate(
        request[WORK],
        request.app[ACCOUNTS],
        code=form.code,
        new_password=form.new_password,
        network=_network(request),
        browser=_browser(request),
    )
    await _leave_login_before(request)
    return _go_on(request, signed, "/home")


def refuse_unequal(password: str, repeated: str) -> None:
    """Raise Invalid when the second typing of a new password differs from the first."""
    if password != repeated:
        raise Invalid(
            "passwords_differ", N_("Hai lần nhập mật khẩu mới khác nhau"), field="repeated"
        )


@routes.post("/try/{role:[a-z_]+}", Action.PUBLIC)
async def try_role(request: web.Request) -> web.Response:
    """Inside as a made-up person, in a demo on this machine and nowhere else."""
    if not _is_demo(request):
        raise Missing
    role = next((role for role in TRY_ROLES if role.value == request.match_info["role"]), None)
    if role is None:
        raise Missing
    work, accounts = request[WORK], request.app[ACCOUNTS]
    signed = await sign_in_demo(work, accounts, role, browser=_browser(request))
    await _leave_login_before(request)
    return _go_on(request, signed, "/home")
