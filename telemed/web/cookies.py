"""The login cookie: its name, its flags, in one place."""

from __future__ import annotations

from aiohttp import web

from telemed.core.config import Settings
from telemed.keys import SETTINGS

LOCALE_COOKIE = "telemed_locale"


def login_cookie_name(settings: Settings) -> str:
    """`__Host-` binds the cookie to this host over TLS; plain HTTP cannot carry that prefix."""
    return "__Host-telemed" if settings.is_https else "telemed"


def login_token(request: web.Request) -> str | None:
    """The opaque id that the browser holds; nothing that we could not have given it."""
    token = request.cookies.get(login_cookie_name(request.app[SETTINGS]))
    return token if token and token.isascii() else None


def set_login_token(request: web.Request, response: web.StreamResponse, token: str) -> None:
    """Hand a login to the browser for as long as the browser is open."""
    settings = request.app[SETTINGS]
    response.set_cookie(
        login_cookie_name(settings),
        token,
        path="/",
        secure=settings.is_https,
        httponly=True,
        samesite="Lax",
    )


def set_locale(request: web.Request, response: web.StreamResponse, locale: str) -> None:
    """Remember a language for as long as the browser is open."""
    response.set_cookie(
        LOCALE_COOKIE,
        locale,
        path="/",
        secure=request.app[SETTINGS].is_https,
        httponly=True,
        samesite="Lax",
    )


def clear_login_token(request: web.Request, response: web.StreamResponse) -> None:
    """Take the login back and whatever the browser kept of it."""
    settings = request.app[SETTINGS]
    response.del_cookie(
        login_cookie_name(settings),
        path="/",
        secure=settings.is_https,
        httponly=True,
        samesite="Lax",
    )
