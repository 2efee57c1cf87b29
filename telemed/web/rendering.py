"""Pages and answers: one Jinja environment a language, the menu, refusals as page or JSON."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import datetime
from functools import lru_cache, partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import jinja2
import orjson
from aiohttp import web
from markupsafe import Markup
from yarl import URL

from telemed.accounts.permissions import Action, Actor, may
from telemed.core.clock import Clock
from telemed.core.errors import Invalid, Param, TelemedError
from telemed.core.i18n import LOCALES, Catalogue
from telemed.keys import ACTOR, LOCALE, RENDERER, REQUEST_ID, SETTINGS, SYNTHETIC, TRIAL
from telemed.web.assets import Assets
from telemed.web.formats import FILTERS
from telemed.web.menu import menu_of, role_title

NOTICE_COOKIE = "telemed_notice"
REMEMBERED_TEXTS = 4096

# A filter of a domain: (value, now) → catalogue text and its parameters.
Phrase = Callable[[Any, datetime], tuple[str, Mapping[str, Param]]]


class Renderer:
    """Makes every page of the installation."""

    def __init__(
        self,
        templates: Path,
        catalogue: Catalogue,
        assets: Assets,
        clock: Clock,
        phrases: Mapping[str, Phrase] | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._environments = {
            locale: _environment(
                templates, catalogue, locale, assets=assets, clock=clock, phrases=phrases or {}
            )
            for locale in LOCALES
        }

    def text(self, request: web.Request, message: str, **params: Any) -> str:
        """A catalogue text in the language of the request."""
        return self._catalogue.translate(request[LOCALE], message, params)

    def html(
        self,
        request: web.Request,
        template: str,
        context: Mapping[str, Any],
        *,
        locale: str | None = None,
    ) -> str:
        """A template rendered for whoever asks, in their language unless told otherwise."""
        actor = request[ACTOR]
        locale = locale or request[LOCALE]
        environment = self._environments[locale]
        gettext = self._catalogue.texts(locale).gettext
        return environment.get_template(template).render(
            {
                "actor": _shown(actor, gettext),
                "nav": menu_of(actor, request.path, gettext),
                "locale": locale,
                "path": request.path,
                "synthetic": request.app[SYNTHETIC](),
                "trial": request.app[TRIAL](actor) if actor else None,
                "notice": request.cookies.get(NOTICE_COOKIE) and self._notice(request),
                "may": lambda action: may(actor, Action(action)),
                **context,
            }
        )

    def _notice(self, request: web.Request) -> str:
        return self.text(request, NOTICES.get(request.cookies[NOTICE_COOKIE], ""))

    def wants_page(self, request: web.Request) -> bool:
        """True for a browser that loads a page, False for a script or another program."""
        mode = request.headers.get("Sec-Fetch-Mode")
        if mode is not None:
            return mode == "navigate"
        return "text/html" in request.headers.get("Accept", "")

    def refusal(self, request: web.Request, status: int, error: TelemedError) -> web.Response:
        """The answer to an expected refusal, as page or JSON."""
        fields = [
            {
                "field": item.field,
                "code": item.code,
                "message": self._catalogue.translate(request[LOCALE], item.message, item.params),
            }
            for item in error.fields
        ]
        text = self._catalogue.explain(request[LOCALE], error)
        return self._failure(request, status, error.code, text, fields)

    def failure(self, request: web.Request, status: int, code: str, message: str) -> web.Response:
        """The answer to anything else that went wrong."""
        return self._failure(request, status, code, self.text(request, message), [])

    def _failure(
        self,
        request: web.Request,
        status: int,
        code: str,
        text: str,
        fields: list[dict[str, str]],
    ) -> web.Response:
        if self.wants_page(request):
            context = {
                "status": status,
                "text": text,
                "fields": [f"{item['field']}: {item['message']}" for item in fields],
                "request_id": request[REQUEST_ID],
                "reload_url": _page_before(request),
            }
            return _html(self.html(request, "error.html", context), status)
        body = {"code": code, "message": text, "request_id": request[REQUEST_ID]}
        return json_answer({**body, "fields": fields} if fields else body, status=status)


def _page_before(request: web.Request) -> str:
    """The page to load again: the one asked for, or the one whose form was sent."""
    if request.method == "GET":
        return request.path_qs
    try:
        came_from = URL(request.headers.get("Referer", ""))
        is_ours = str(came_from.origin()) in request.app[SETTINGS].origins
    except ValueError:
        return ""
    return str(came_from.relative()) if is_ours else ""


class _Shown:
    """What a page may show of the person who is signed in."""

    def __init__(self, actor: Actor, title: str) -> None:
        self.uid, self.name, self.initials = actor.uid, actor.name, actor.initials
        self.role_title, self.place = title, actor.place
        self.roles = {role.value for role in actor.roles}
        self.id = actor.id


def _shown(actor: Actor | None, gettext: Callable[[str], str]) -> _Shown | None:
    return _Shown(actor, actor.title or role_title(actor, gettext)) if actor else None


def _environment(
    templates: Path,
    catalogue: Catalogue,
    locale: str,
    *,
    assets: Assets,
    clock: Clock,
    phrases: Mapping[str, Phrase],
) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
        trim_blocks=False,
        auto_reload=False,
    )
    environment.install_gettext_translations(  # type: ignore[attr-defined] # added by the extension
        catalogue.texts(locale), newstyle=True
    )
    words = _gettext(catalogue, locale)
    environment.globals.update(_=words, gettext=words)
    environment.globals.update(asset=assets.url, now=clock.now, new_key=new_key)
    environment.filters.update(FILTERS)
    environment.filters["drawn"] = _drawn
    for name, phrase in phrases.items():
        environment.filters[name] = _translated(catalogue, locale, clock, phrase)
    return environment


def _drawn(kinds: Iterable[Hashable], html: Mapping[Hashable, Markup]) -> Markup:
    """The drawing of each kind, joined: ten thousands of table cells cost a lookup each."""
    return Markup("".join([html[kind] for kind in kinds]))  # noqa: S704 # each is markup already


def _gettext(catalogue: Catalogue, locale: str) -> Callable[..., Markup]:
    """What the extension's own does, remembering every text: a page asks for hundreds."""

    @lru_cache(REMEMBERED_TEXTS)
    def text(message: str) -> Markup:
        return Markup(catalogue.texts(locale).gettext(message))  # noqa: S704 # our own words

    @lru_cache(REMEMBERED_TEXTS)
    def plain(message: str) -> Markup:
        return text(message) % {}

    def gettext(message: str, **params: Any) -> Markup:
        return text(message) % params if params else plain(message)

    return gettext


def _translated(
    catalogue: Catalogue, locale: str, clock: Clock, phrase: Phrase
) -> Callable[[Any], str]:
    def words(value: Any) -> str:
        message, params = phrase(value, clock.now())
        return catalogue.translate(locale, message, params)

    return words


def new_key() -> str:
    """A fresh idempotency key for a form."""
    return secrets.token_urlsafe(16)


def _html(text: str, status: int) -> web.Response:
    response = web.Response(text=text, status=status, content_type="text/html")
    response.enable_compression()
    return response


def page(
    request: web.Request, template: str, *, status: int = HTTPStatus.OK, **context: Any
) -> web.Response:
    """A page in the language of the request. `request_id`, `actor`, `nav` … are always there."""
    response = _html(request.app[RENDERER].html(request, template, context), status)
    if NOTICE_COOKIE in request.cookies:
        response.del_cookie(NOTICE_COOKIE, path="/")
    return response


def invalid_page(
    request: web.Request, template: str, error: Invalid, **context: Any
) -> web.Response:
    """A form shown again: `errors` maps each field to its sentence, in the order of the form."""
    renderer = request.app[RENDERER]
    errors = {
        item.field: renderer.text(request, item.message, **item.params) for item in error.fields
    }
    if not errors:
        errors = {"form": renderer.text(request, error.message, **error.params)}
    return page(request, template, status=HTTPStatus.UNPROCESSABLE_ENTITY, errors=errors, **context)


def saying(request: web.Request) -> Callable[..., str]:
    """Catalogue texts in the language of the request, for words that are put together in Python."""
    return partial(request.app[RENDERER].text, request)


def wants_json(request: web.Request) -> bool:
    """True when a script asks, so that it gets data instead of a redirect."""
    return not request.app[RENDERER].wants_page(request)


def json_answer(data: Any, *, status: int = HTTPStatus.OK) -> web.Response:
    """Data for a script."""
    body = orjson.dumps(data, default=str)
    return web.Response(body=body, status=status, content_type="application/json")


def see_other(request: web.Request, url: str, *, notice: str | None = None) -> web.Response:
    """After a form: go on to a page, with one of the NOTICES said there once.

    A script gets `{"url": …}` instead.
    """
    if wants_json(request):
        return json_answer({"url": url})
    response = web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": url})
    if notice is not None:
        if notice not in NOTICES:
            raise LookupError(f"no such notice: {notice}")
        response.set_cookie(NOTICE_COOKIE, notice, path="/", httponly=True, samesite="Lax")
    return response


NOTICES: dict[str, str] = {}


def add_notices(texts: Mapping[str, str]) -> None:
    """Sentences a room says after an act, by name; called once when the module loads."""
    NOTICES.update(texts)
