"""What every answer carries, and which unsafe requests are believed to come from our pages."""

from __future__ import annotations

from aiohttp import web

from telemed.core.errors import N_, Denied
from telemed.keys import SETTINGS

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_POLICY = {
    "default-src": "'self'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' blob:",
    "connect-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}


def content_security_policy(**otherwise: str) -> str:
    """What pages may do, with what one of them needs otherwise."""
    return "; ".join(f"{name} {value}" for name, value in (_POLICY | otherwise).items())


CONTENT_SECURITY_POLICY = content_security_policy()
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(self), display-capture=(self), geolocation=()",
}


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Signal handler: runs for every answer, also for refusals and sockets."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    if request.app[SETTINGS].is_https:
        response.headers.setdefault(
            "Strict-Transport-Security", "max-age=31536000; includeSubDomains"
        )
    response.headers.pop("Server", None)


def check_origin(request: web.Request) -> None:
    """Refuse unsafe requests that another site, or another port, made a browser send.

    Sec-Fetch-Site decides where the browser sends it; then Origin; a request with neither is no
    browser's and carries no cookie of one, so it is refused when a cookie is there.
    """
    if request.method in SAFE_METHODS:
        return
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is not None:
        allowed = site in {"same-origin", "none"}
    elif origin is not None:
        allowed = origin in request.app[SETTINGS].origins
    else:
        allowed = "Cookie" not in request.headers
    if not allowed:
        raise Denied("foreign_origin", N_("Yêu cầu đến từ một trang khác nên bị chặn"))
