from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import jinja2
import pytest
from jinja2 import nodes

from telemed.app import PHRASES
from telemed.consults.lifecycle import ConsultState
from telemed.consults.models import Urgency
from telemed.consults.vitals.table import VITALS, Vital
from telemed.core.clock import FakeClock
from telemed.core.i18n import Catalogue
from telemed.core.paths import LOCALE, STATIC, TEMPLATES
from telemed.patients.models import AllergyState, Sex
from telemed.web.assets import Assets
from telemed.web.rendering import _environment

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
NBSP = "\u00a0"
PATIENT = SimpleNamespace(
    full_name="Lò Văn Pánh",
    birth_date=date(1959, 3, 12),
    birth_year=1959,
    sex=Sex.MALE,
    personal_number="011059000123",
    temporary_code=None,
    allergy_state=AllergyState.KNOWN,
    allergies="Penicillin",
    allergies_asked_on=None,
)

Draw = Callable[..., str]


@pytest.fixture(scope="session")
def environment() -> jinja2.Environment:
    catalogue = Catalogue(LOCALE)
    clock = FakeClock(NOW)
    return _environment(
        TEMPLATES, catalogue, "vi", assets=Assets(STATIC), clock=clock, phrases=PHRASES
    )


@pytest.fixture
def draw(environment: jinja2.Environment) -> Draw:
    """Draw `call`, a line of template that may use every macro, with the given names."""
    imports = "".join(
        f'{{%- import "macros/{name}.html" as {name} -%}}' for name in ("ui", "case", "forms")
    )
    return lambda call, **names: environment.from_string(imports + call).render(**names)


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split(" ")).strip()


@pytest.mark.parametrize("urgency", Urgency)
def test_every_urgency_has_shape_and_word(draw: Draw, urgency: Urgency) -> None:
    html = draw("{{ case.urgency(value) }}", value=urgency)
    assert "<svg" in html
    assert words(html)


@pytest.mark.parametrize("state", ConsultState)
def test_every_state_of_a_consult_has_mark_and_word(draw: Draw, state: ConsultState) -> None:
    html = draw("{{ case.state(value) }}", value=state)
    assert "<svg" in html
    assert words(html)


@pytest.mark.parametrize("vital", VITALS.values(), ids=lambda vital: vital.key.value)
def test_vital_signs_are_called_as_in_their_table(draw: Draw, vital: Vital) -> None:
    call = "{{ case.vital_name(key) }}|{{ case.vital_unit(key) }}"
    assert draw(call, key=vital.key) == f"{vital.label}|{vital.unit}"


@pytest.mark.parametrize("sex", Sex)
def test_every_sex_has_a_word(draw: Draw, sex: Sex) -> None:
    assert draw("{{ case.sex(value) }}", value=sex)


def test_no_allergy_and_not_asked_never_look_alike(draw: Draw) -> None:
    faces = {
        face
        for state in AllergyState
        for face in re.findall(r'class="(alg[^"]*)"', draw("{{ case.allergy(s, 'x') }}", s=state))
    }
    assert faces == {"alg", "alg no", "alg unk"}


def test_banner_names_the_patient_in_capitals_with_the_number_in_groups(draw: Draw) -> None:
    html = draw("{% call case.patient_banner(p) %}Khẩn{% endcall %}", p=PATIENT)
    assert "<b>LÒ VĂN PÁNH</b>" in html
    assert f"12/03/1959 (67{NBSP}tuổi)" in html
    assert "011&nbsp;059&nbsp;000&nbsp;123" in html
    assert "Dị ứng: Penicillin" in html
    assert "Khẩn" in html


def test_banner_says_when_only_the_year_is_known(draw: Draw) -> None:
    patient = SimpleNamespace(**{**vars(PATIENT), "birth_date": None})
    assert "1959 (chỉ biết năm)" in draw("{{ case.patient_banner(p) }}", p=patient)


@pytest.mark.parametrize(
    ("minutes", "text"),
    [
        (5.1, "Còn 6 phút"),
        (100, "Còn 100 phút"),
        (101, "Còn 2 giờ"),
        (2881, "Còn 2 ngày"),
        (-0.2, "Quá 1 phút"),
        (-4.9, "Quá 4 phút"),
        (-200, "Quá 3 giờ"),
        (-5000, "Quá 3 ngày"),
    ],
)
def test_clock_says_the_same_as_its_script(draw: Draw, minutes: float, text: str) -> None:
    html = draw("{{ case.clock(due) }}", due=NOW + timedelta(minutes=minutes))
    assert words(html).strip() == text.replace(" phút", f"{NBSP}phút").replace(
        " giờ", f"{NBSP}giờ"
    ).replace(" ngày", f"{NBSP}ngày")


def test_clock_fills_its_bar_and_turns_red_when_overdue(draw: Draw) -> None:
    waiting = draw("{{ case.clock(due, 30) }}", due=NOW + timedelta(minutes=20))
    overdue = draw("{{ case.clock(due, 30) }}", due=NOW - timedelta(minutes=20))
    assert '<progress max="30" value="10"' in waiting
    assert 'class="clock"' in waiting
    assert '<progress max="30" value="30"' in overdue
    assert 'class="clock e"' in overdue


@pytest.mark.parametrize("flag", ["normal", None])
def test_a_usual_value_is_not_marked(draw: Draw, flag: str | None) -> None:
    html = draw("{{ case.vital('pulse', 72, flag, 0) }}", flag=flag)
    assert "off" not in html
    assert "<svg" not in html


def test_a_value_out_of_range_has_arrow_word_and_points(draw: Draw) -> None:
    html = draw("{{ case.vital('temperature', 38.6, 'high', 1) }}")
    assert 'class="off"' in html
    assert "#up" in html
    assert f"Cao · 1{NBSP}điểm" in html
    assert "<b>38,6</b>&nbsp;°C" in html


def test_a_value_that_was_not_measured_says_so(draw: Draw) -> None:
    assert "không đo" in draw("{{ case.vital('glucose', none) }}")


def test_an_error_stands_at_its_field_and_in_the_summary_that_leads_to_it(draw: Draw) -> None:
    errors = {"questions.0": "Ghi ít nhất một câu hỏi"}
    summary = draw("{{ forms.error_summary(e) }}", e=errors)
    field = draw("{{ forms.textarea('questions.0', 'Câu 1', '', e) }}", e=errors)
    assert 'href="#f-questions-0"' in summary
    assert "còn 1 chỗ cần sửa" in summary
    assert 'id="f-questions-0"' in field
    assert 'aria-describedby="f-questions-0-e"' in field
    assert 'aria-invalid="true"' in field
    assert "Ghi ít nhất một câu hỏi" in field


def test_no_errors_no_summary(draw: Draw) -> None:
    assert draw("{{ forms.error_summary({}) }}") == ""


def test_what_was_typed_is_text_and_never_markup(draw: Draw) -> None:
    html = draw("{{ forms.field('name', 'Họ tên', v) }}{{ ui.note(v) }}", v='"><script>')
    assert "<script>" not in html
    assert 'value="&#34;&gt;&lt;script&gt;"' in html


def test_a_password_is_never_sent_back(draw: Draw) -> None:
    assert 'value=""' in draw("{{ forms.password('password', 'Mật khẩu') }}")


@pytest.mark.parametrize("value", [3, "3"], ids=["number", "text"])
def test_a_choice_is_found_whatever_its_type(draw: Draw, value: int | str) -> None:
    options = [(3, "Nhi khoa"), (4, "Nội")]
    html = draw("{{ forms.select('s', 'Khoa', o, v) }}", o=options, v=value)
    assert '<option value="3" selected>' in html
    assert html.count("selected") == 1


def test_nothing_is_ticked_unless_it_was_given(draw: Draw) -> None:
    options = [("consult", "Hội chẩn"), ("teaching", "Giảng dạy")]
    call = "{{ forms.checks('p', 'Đồng ý', o) }}{{ forms.pick_urgency('u', 'Mức') }}"
    assert "checked" not in draw(call, o=options)


def test_a_question_before_an_act_offers_the_safe_way_first(draw: Draw) -> None:
    html = draw("{{ forms.confirm('Hủy?', 'Mất', 'Giữ', '/x', 'Hủy', '/x/cancel') }}")
    assert html.index(">Giữ<") < html.index(">Hủy<")
    assert "autofocus" in html[: html.index(">Giữ<")]


def test_an_image_of_the_sprite_is_named_only_if_it_is_there() -> None:
    marks = set(re.findall(r'<symbol id="([\w-]+)"', (STATIC / "icons.svg").read_text()))
    used = {
        (path.name, name)
        for path in TEMPLATES.rglob("*.html")
        for name in re.findall(r'icon\("([\w-]+)"', path.read_text())
    }
    assert {(page, name) for page, name in used if name not in marks} == set()


def pages() -> list[str]:
    return sorted(path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.html"))


@pytest.mark.parametrize("page", pages())
def test_every_page_imports_macros_that_exist(environment: jinja2.Environment, page: str) -> None:
    tree = environment.parse(Path(TEMPLATES, page).read_text())
    wanted = {
        (found.template.as_const(), name if isinstance(name, str) else name[0])
        for found in tree.find_all(nodes.FromImport)
        for name in found.names
    }
    have = {file: environment.get_template(file).module for file, _ in wanted}
    assert {(file, name) for file, name in wanted if not hasattr(have[file], name)} == set()
