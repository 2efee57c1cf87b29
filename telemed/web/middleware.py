"""What happens around every handler, from the outside in:

`answer_errors` (request id, refusals and crashes become answers) → `guard_origin` →
`identify` (who asks, in which language) → `authorise` (the route's action) →
`transact` (one unit of work, idempotency key, commit before the answer leaves).
The socket path passes through the first two only: a socket lives longer than a transaction.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web
from sqlalchemy.exc import IntegrityError

from telemed.accounts.permissions import may, require
from telemed.accounts.service import resolve_login, touch_login
from telemed.core.audit import AuditTag
from telemed.core.errors import (
    N_,
    Invalid,
    Kind,
    Missing,
    TelemedError,
    Throttled,
    TooLarge,
    Unauthenticated,
)
from telemed.core.i18n import DEFAULT_LOCALE, LOCALES
from telemed.core.idempotency import (
    LONGEST_KEY,
    AskedKey,
    IdempotencyKey,
    find_answer,
    keep_answer,
)
from telemed.keys import ACCOUNTS, ACTOR, DATABASE, FINGERPRINT, LOCALE, RENDERER, REQUEST_ID, WORK
from telemed.web.cookies import LOCALE_COOKIE, login_token
from telemed.web.parsing import (
    FORM_TYPES,
    HIDDEN_KEY,
    form_fields,
    refuse_unwritable,
    typed_values,
)
from telemed.web.routing import ROUTE_TABLE, Route
from telemed.web.security import SAFE_METHODS, check_origin

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
# Set by pages on what they fetch without anybody asking; it does not keep a login alive.
BY_ITSELF = "X-By-Itself"
SOCKET_PATH = "/socket.io/"
STATIC_PATH = "/static/"
# Whoever reads it is gone; the number stands in no standard, but in many logs.
CLIENT_GONE = 499
MOST_ADDRESS = 200

STATUS: dict[Kind, int] = {
    Kind.INVALID: HTTPStatus.UNPROCESSABLE_ENTITY,
    Kind.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    Kind.DENIED: HTTPStatus.FORBIDDEN,
    Kind.MISSING: HTTPStatus.NOT_FOUND,
    Kind.CONFLICT: HTTPStatus.CONFLICT,
    Kind.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Kind.UNSUPPORTED: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    Kind.THROTTLED: HTTPStatus.TOO_MANY_REQUESTS,
    Kind.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}


def _stands_apart(request: web.Request) -> bool:
    return request.path.startswith((SOCKET_PATH, STATIC_PATH))


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn refusals into answers; the unknown becomes 500 with a request id and no detail."""
    request[REQUEST_ID] = secrets.token_hex(8)
    request[LOCALE] = _locale_of(request)
    request[ACTOR] = None
    try:
        return await handler(request)
    except TelemedError as error:
        refusal = error
    except web.HTTPRequestEntityTooLarge:
        refusal = TooLarge("body_too_large", N_("Nội dung gửi lên quá lớn"))
    except web.RequestPayloadError:
        refusal = Invalid("body_damaged", N_("Nội dung gửi lên bị hỏng"), field="body")
    except web.HTTPException as answer:
        return _in_our_words(request, answer)
    except ConnectionError:
        log.info("request %s: the browser went away", request[REQUEST_ID])
        return web.Response(status=CLIENT_GONE)
    except Exception as error:
        log.exception("request %s failed: %s", request[REQUEST_ID], type(error).__name__)
        return request.app[RENDERER].failure(request, 500, "internal", _INTERNAL)
    return refuse(request, refusal)


_OTHER = N_("Máy chủ không hiểu yêu cầu này")
_INTERNAL = N_("Máy chủ gặp lỗi. Những gì đã lưu vẫn còn. Báo quản trị mã yêu cầu bên dưới.")


def _in_our_words(request: web.Request, answer: web.HTTPException) -> web.StreamResponse:
    if answer.status < HTTPStatus.BAD_REQUEST:
        raise answer
    if answer.status == HTTPStatus.NOT_FOUND:
        return refuse(request, Missing())
    failure = request.app[RENDERER].failure(request, answer.status, "http_error", _OTHER)
    failure.headers.extend(_told(answer, "Allow"))
    return failure


def refuse(request: web.Request, error: TelemedError) -> web.StreamResponse:
    """The answer to an expected refusal."""
    status = STATUS[error.kind]
    if status == HTTPStatus.UNAUTHORIZED and request.app[RENDERER].wants_page(request):
        return _to_sign_in(request)
    response = request.app[RENDERER].refusal(request, status, error)
    if isinstance(error, Throttled):
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    if error.kind is Kind.UNAVAILABLE:
        response.headers["Retry-After"] = "5"
    return response


def _to_sign_in(request: web.Request) -> web.StreamResponse:
    target = request.rel_url if request.method in SAFE_METHODS else "/home"
    location = request.rel_url.with_path("/sign-in").with_query({"next": str(target)})
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": str(location)})


def _locale_of(request: web.Request) -> str:
    wanted = request.cookies.get(LOCALE_COOKIE, "")
    return wanted if wanted in LOCALES else DEFAULT_LOCALE


@web.middleware
async def guard_origin(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Only our own pages may change anything."""
    check_origin(request)
    if "\0" in request.path:
        raise Missing
    refuse_unwritable(request.query)
    return await handler(request)


@web.middleware
async def identify(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Find out who asks, from the login cookie alone."""
    token = None if _stands_apart(request) else login_token(request)
    if token:
        async with request.app[DATABASE].read() as work:
            actor = await resolve_login(work, token)
        request[ACTOR] = actor
        if actor is not None and request.headers.get(BY_ITSELF) is None:
            await touch_login(request.app[DATABASE], actor, request.app[ACCOUNTS].limits)
        if actor is not None and LOCALE_COOKIE not in request.cookies:
            request[LOCALE] = actor.locale
    return await handler(request)


@web.middleware
async def authorise(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Hold the route's action against the actor's roles.

    Every refusal is on record, of the action as such or, further in, of one object.
    """
    route = request.app[ROUTE_TABLE].find(request)
    if route is None:
        return await handler(request)
    actor = request[ACTOR]
    if actor is None and not may(actor, route.action):
        raise Unauthenticated
    if route.body_limit is not None:
        request = request.clone(client_max_size=route.body_limit)
    try:
        require(actor, route.action)
        return await handler(request)
    except TelemedError as error:
        if actor is not None and error.refused_action:
            async with request.app[DATABASE].work(request[REQUEST_ID]) as work:
                work.audit(
                    AuditTag.ACCESS_REFUSED,
                    actor,
                    error.refused_action,
                    address=request.path[:MOST_ADDRESS],
                )
        raise


@web.middleware
async def transact(request: web.Request, handler: Handler) -> web.StreamResponse:
    """One request is one transaction, committed before its answer is sent."""
    route = request.app[ROUTE_TABLE].find(request)
    if route is None:
        return await handler(request)
    try:
        return await _in_transaction(request, handler, route)
    except Invalid as error:
        if route.on_invalid is None or not request.app[RENDERER].wants_page(request):
            raise
        async with request.app[DATABASE].open(request[REQUEST_ID]) as work:
            request[WORK] = work
            response = await route.on_invalid(request, error, typed_values(request))
            await work.commit()
            return response


async def _in_transaction(
    request: web.Request, handler: Handler, route: Route
) -> web.StreamResponse:
    asked = await _asked_key(request, route)
    if asked is None:
        return await _run(request, handler, None)
    if stored := await _stored_answer(request, asked):
        return _replay(stored)
    try:
        response = await _run(request, handler, asked)
    except (TelemedError, IntegrityError):
        # The same request may have come twice at once: the loser gives the winner's answer.
        if stored := await _stored_answer(request, asked):
            return _replay(stored)
        raise
    if response.status >= HTTPStatus.BAD_REQUEST:
        stored = await _stored_answer(request, asked)
        return _replay(stored) if stored else response
    return response


async def _run(
    request: web.Request, handler: Handler, asked: AskedKey | None
) -> web.StreamResponse:
    async with request.app[DATABASE].open(request[REQUEST_ID]) as work:
        request[WORK] = work
        response = await handler(request)
        if response.status >= HTTPStatus.BAD_REQUEST:
            await work.rollback()
            return response
        # A page after a change may hold a secret that is shown once; it is never kept.
        if asked is not None and response.content_type != "text/html":
            headers = _told(response, "Location", "Content-Type")
            await keep_answer(work, asked, response.status, headers, _body_of(response))
        await work.commit()
        return response


async def _stored_answer(request: web.Request, asked: AskedKey) -> IdempotencyKey | None:
    async with request.app[DATABASE].read() as work:
        return await find_answer(work, asked)


async def _asked_key(request: web.Request, route: Route) -> AskedKey | None:
    """The key and what was asked with it; it comes as a header, or hidden in a form."""
    actor = request[ACTOR]
    if actor is None or route.method in SAFE_METHODS:
        return None
    if request.content_type == "multipart/form-data":
        # Files come slowly and are known by their checksum; no transaction waits for them.
        return None
    key = request.headers.get("Idempotency-Key", "")
    if request.content_type in FORM_TYPES:
        fields = await form_fields(request)
        key = key or str(fields.get(HIDDEN_KEY, ""))
    if not key:
        return None
    if len(key) > LONGEST_KEY or not (key.isascii() and key.isprintable()):
        raise Invalid(
            "idempotency_key_malformed", N_("Khóa gửi lại chưa đúng dạng"), field="Idempotency-Key"
        )
    asked = f"{request.method} {request.path_qs}\n".encode() + await request.read()
    return AskedKey(actor.id, key, request.app[FINGERPRINT](asked))


def _told(response: web.StreamResponse, *names: str) -> dict[str, str]:
    return {name: response.headers[name] for name in names if name in response.headers}


def _body_of(response: web.StreamResponse) -> bytes:
    body = response.body if isinstance(response, web.Response) else None
    return body if isinstance(body, bytes) else b""


def _replay(stored: IdempotencyKey) -> web.Response:
    headers = {**stored.headers, "Idempotency-Replayed": "true"}
    return web.Response(status=stored.status, headers=headers, body=stored.body)


MIDDLEWARES = (answer_errors, guard_origin, identify, authorise, transact)
