"""Every rule of the house finds what breaks it, and leaves alone what does not."""

from __future__ import annotations

import pytest

from tests.architecture.doors import check_doors
from tests.architecture.imports import check_imports
from tests.architecture.marks import check_marks, check_models
from tests.architecture.scripts import check_scripts, marked_in_script
from tests.architecture.sizes import check_sizes
from tests.architecture.sources import Source
from tests.architecture.templates import check_templates, marked_in_template
from tests.architecture.words import check_python, check_tone
from tests.test_architecture import HOUSE

DUMMIES = [
    Source(f"telemed/{name}.py", "")
    for name in (
        *("app", "keys", "core/db", "core/errors", "web/routing", "web/rendering", "media/relay"),
        *("accounts/permissions", "accounts/service", "accounts/views", "accounts/repository"),
        *("patients/models", "patients/service", "patients/repository", "patients/views"),
        *("consults/lifecycle", "consults/models", "consults/service", "consults/case/views"),
        *("scheduling/service", "imaging/service", "training/models", "signaling/protocol"),
        "sessions/minutes_views",
    )
]


def in_file(path: str, text: str) -> list[Source]:
    return [Source(path, text)]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("consults/service", "from telemed.app import create_app"),
        ("consults/service", "from telemed.web.rendering import page"),
        ("consults/service", "from telemed.consults.case import views"),
        ("consults/service", "from telemed.keys import DATABASE"),
        ("consults/service", "import aiohttp"),
        ("consults/service", "from aiohttp import web"),
        ("consults/service", "import socketio.exceptions"),
        ("core/db", "from aiohttp import web"),
        ("core/db", "from telemed.patients.models import Patient"),
        ("core/db", "from telemed.accounts import service"),
        ("consults/models", "from telemed.consults.service import claim"),
        ("consults/repository", "def find():\n    from telemed.consults.service import claim"),
        ("consults/lifecycle", "import sqlmodel"),
        ("consults/lifecycle", "from telemed.core.db import UnitOfWork"),
        ("accounts/permissions", "from telemed.consults.lifecycle import ConsultState"),
        ("accounts/permissions/rules", "from telemed.consults.lifecycle import ConsultState"),
        ("accounts/permissions/rules", "from telemed.accounts.permissions import may"),
        ("patients/service", "from telemed.consults.models import Consult"),
        ("imaging/service", "from telemed.scheduling.service import book"),
        ("consults/service", "from telemed.patients.repository import get_patient"),
        ("consults/case/views", "from telemed.patients.repository import get_patient"),
        ("consults/case/views", "from telemed.patients import views"),
        ("consults/case/views", "from telemed.sessions.minutes_views import routes"),
        ("media/relay", "from telemed.consults.models import Consult"),
        ("web/routing", "from telemed.consults.service import claim"),
        ("keys", "from telemed.web.rendering import Renderer"),
        ("consults/service", "from ..patients import models"),
        ("signaling/protocol", "from telemed.consults.service import claim"),
        ("signaling/protocol/room", "from telemed.consults.service import claim"),
    ],
)
def test_an_import_against_the_house_is_found(path: str, line: str) -> None:
    file = Source(f"telemed/{path}.py", line)
    assert len(list(check_imports([file, *DUMMIES], HOUSE))) == 1


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("__main__", "from telemed.app import create_app"),
        ("app", "from telemed.consults.case.views import routes"),
        ("consults/case/views", "from aiohttp import web"),
        ("sessions/minutes_views", "from aiohttp import web"),
        ("consults/case/views", "from telemed.training.models import TransferLog"),
        ("consults/case/views", "from telemed.keys import WORK"),
        ("consults/service", "from telemed.consults import repository"),
        ("consults/service", "from telemed.patients.service import get_patient"),
        ("consults/service", "from telemed.patients.models import Patient"),
        ("consults/models", "from telemed.consults.lifecycle import ConsultState"),
        ("patients/service", "from telemed.consults.lifecycle import ConsultState"),
        ("core/db", "import sqlalchemy"),
        ("consults/lifecycle", "from enum import StrEnum"),
        ("accounts/permissions", "from telemed.accounts.permissions.rules import allows"),
        ("accounts/permissions/rules", "from telemed.accounts.permissions.facts import Actor"),
        ("web/routing", "from telemed.accounts.service import resolve_login"),
        ("keys", "if TYPE_CHECKING:\n    from telemed.web.rendering import Renderer"),
    ],
)
def test_an_import_down_the_house_is_allowed(path: str, line: str) -> None:
    file = Source(f"telemed/{path}.py", line)
    assert list(check_imports([file, *DUMMIES], HOUSE)) == []


def test_long_modules_and_functions_are_found() -> None:
    function = "def f():\n" + "    a = 1\n" * 9
    at_most = {"module_lines": 10, "function_lines": 10}
    assert list(check_sizes(in_file("a.py", function), **at_most)) == []
    grown = list(check_sizes(in_file("a.py", function + "    a = 1\n"), **at_most))
    assert [finding.problem for finding in grown] == [
        "11 lines, 10 at most",
        "f has 11 lines, 10 at most",
    ]


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ('@routes.get("/a", Action.HOME)\nasync def a(request): ...', 0),
        ('@routes.post("/a", action=Action.HOME)\nasync def a(request): ...', 0),
        ('@page_routes.get("/a")\nasync def a(request): ...', 1),
        ('@routes.get("/a", "home")\nasync def a(request): ...', 1),
        ('@routes.get("/a", Action.HOMME)\nasync def a(request): ...', 1),
        ('@routes.get("/a", Role.HOME)\nasync def a(request): ...', 1),
        ('@events.on("chat", Action.HOME)\nasync def a(hub): ...', 0),
        ('@events.on("chat")\nasync def a(hub): ...', 1),
        ('@cache.get("/a")\nasync def a(request): ...', 0),
        ('app.router.add_get("/a", handler)', 1),
        ("routes = web.RouteTableDef()", 1),
    ],
)
def test_a_door_without_an_action_is_found(code: str, count: int) -> None:
    findings = check_doors(in_file("telemed/a/views.py", code), actions={"HOME"}, may_open_doors=())
    assert len(list(findings)) == count


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ('N_("Nhận ca")', 0),
        ('"""Nhận ca."""', 0),
        ('def f():\n    """Nhận ca."""', 0),
        ('title = "Nhận ca"', 1),
        ('N_(f"Nhận ca {number}")', 1),
        ('log.info("Nhận ca")', 1),
        ('LABELS = {State.OPEN: "Đang mở"}', 1),
        ('raise Conflict("taken", N_("Nhận rồi"))', 0),
        ('raise Conflict("taken", "Taken already")', 1),
        ('raise Invalid("bad", message="Bad value", field="a")', 1),
        ('FieldError("name", "missing", "Missing")', 1),
        ('FieldError("name", "missing", REASONS[code])', 0),
    ],
)
def test_words_in_python_outside_the_catalogue_are_found(code: str, count: int) -> None:
    assert len(list(check_python(in_file("telemed/a.py", code)))) == count


@pytest.mark.parametrize(
    ("html", "lines"),
    [
        ('<p>{{ _("Nhận ca") }} 12 · {{ name }}</p>', []),
        ("<p>{% trans n=count %}Còn {{ n }} ca{% endtrans %}</p>", []),
        ("<p>{% trans n=count %}{{ n }} ca{% pluralize %}{{ n }} ca{% endtrans %}</p>", []),
        ('<p>{{ ngettext("%(num)s ca mở", "%(num)s ca mở", n) }}</p>', []),
        ('{{ button(_("Nhận ca"), "check") }}', []),
        ("<script type='application/json'>{\"a\": 1}</script>", []),
        ("<title>Telemed</title>", []),
        ("<kbd>Enter</kbd>", []),
        ("{# Nhận ca #}", []),
        ("{% macro id_of(n) %}f-{{ n }}{% endmacro %}", []),
        ('{% macro hint(n) %} aria-describedby="{{ n }}-h"{% endmacro %}', []),
        ("<p>Accept</p>", [1]),
        ("<p>\n{{ name }}\n  Nhận ca\n</p>", [3]),
        ("{% trans %}Một\nhai{% endtrans %}\n<b>ba</b>", [3]),
        ('<img alt="X-ray" src="a.png">', [1]),
        ('<input placeholder="0912">', []),
        ('<input\n title="Số điện thoại">', [1]),
        ('{% macro spoken() %} aria-label="Close"{% endmacro %}', [1]),
        ('{{ button("Nhận ca") }}', [1]),
        ('{% set title = "Nhận ca" %}', [1]),
        ('{{ icon(name, {"title": "Đóng"}) }}', [1]),
        ('{{ _(name) ~ "Đóng" }}', [1]),
        ("<b>&nbsp;&copy;&eacute;</b>", [1]),
    ],
)
def test_words_in_templates_outside_the_catalogue_are_found(html: str, lines: list[int]) -> None:
    findings = check_templates(in_file("templates/a.html", html))
    assert [finding.line for finding in findings] == lines


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ('label.textContent = t("Nhận ca");', []),
        ("// Nhận ca\n/* Đóng */", []),
        ('const a = "…", b = `${x} – ${y}`;', []),
        ("const marks = /[àáạ]/u;", []),
        ('label.textContent = "Nhận ca";', [1]),
        ("\nlabel.textContent = t(`Nhận ${what}`);", [2]),
        ('say(`${name}. ${t("Nhận ca")}`);', []),
        ('say(`${name}. ${"Nhận ca"}`);', [1]),
        ("const url = 'http://a'; say('Đóng');", [1]),
        ('start("Đóng");', [1]),
    ],
)
def test_words_in_scripts_outside_the_catalogue_are_found(code: str, lines: list[int]) -> None:
    findings = check_scripts(in_file("static/js/a.js", code))
    assert [finding.line for finding in findings] == lines


def test_marked_texts_are_read_from_every_kind_of_file() -> None:
    page = Source("a.html", '{{ _("Nhận ca") }}{% trans %}Đóng{% endtrans %}')
    script = Source("a.js", 't("Nhận ca"); say(`${t("Đóng")}`);')
    assert [text for _, text in marked_in_template(page)] == ["Nhận ca", "Đóng"]
    assert [text for _, text in marked_in_script(script)] == ["Nhận ca", "Đóng"]


@pytest.mark.parametrize(
    "text", ["Đã gửi!", "Vui lòng đăng nhập", "Chờ \N{EM DASH} đang gửi", "Oops, lỗi"]
)
def test_a_wrong_tone_is_found(text: str) -> None:
    assert len(list(check_tone(Source("a.py", ""), [(1, text)]))) == 1


def test_the_right_tone_is_left_alone() -> None:
    texts = [(1, "Chưa gửi được – còn 3 chỗ cần sửa")]
    assert list(check_tone(Source("a.py", ""), texts)) == []


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("# " + "TODO later", 1),
        ("raise " + "NotImplementedError", 1),
        ("@pytest.mark." + "skip", 1),
        ("pytest." + "xfail('later')", 1),
        ("test." + "only('a', () => {});", 1),
        ("a = 1  # " + "noqa: E741", 1),
        ("a = 1  # " + "type: ignore[misc]", 1),
        ("a = 1  # " + "type: ignore[misc] # the stub lacks it", 0),
        ("a = 1  # " + "noqa: E741 - the standard's own letter", 0),
        ("https://py" + "pi.org/simple", 1),
        ("cd /ro" + "ot/project", 1),
        ("skip_to = 3", 0),
    ],
)
def test_unfinished_silenced_and_local_things_are_found(line: str, count: int) -> None:
    assert len(list(check_marks(in_file("a.py", line)))) == count


def test_postponed_annotations_beside_tables_are_found() -> None:
    future = "from __future__ import annotations\n"
    table = "class A(SQLModel, table=True): ..."
    assert len(list(check_models(in_file("telemed/a/models.py", future + table)))) == 1
    assert list(check_models(in_file("telemed/a/models.py", table))) == []
    assert list(check_models(in_file("telemed/a/service.py", future))) == []
