from __future__ import annotations

import json
from gettext import GNUTranslations
from pathlib import Path

import pytest

from tools.catalogue import Report, build

PYTHON = """
from telemed.core.errors import N_
LABEL = N_("Mạch")
LIMIT = N_("Từ {low} đến {high}\\u00a0%")
"""
TEMPLATE = """
{% from "x.html" import y %}<p>{{ _("Gửi yêu cầu") }}</p>
<p>{% trans name=actor.name %}Chào {{ name }}{% endtrans %}</p>
<p>{{ ngettext("Còn %(num)s ca", "Còn %(num)s ca", n) }}</p>
<p>{{ pgettext("nút", "Khẩn") }}</p>
"""
SCRIPT = """
import { t } from "./i18n.js";
class Draft { #kept = 1; show() { return `<${t("Đã lưu {time}", { time: this.#kept })}>`; } }
"""
ENGLISH = """
msgid ""
msgstr "Content-Type: text/plain; charset=UTF-8\\n"

msgid "Mạch"
msgstr "Pulse"

msgid "Từ {low} đến {high}\u00a0%"
msgstr "From {low} to {high}\u00a0%"

msgid "Gửi yêu cầu"
msgstr "Send the request"

msgid "Chào %(name)s"
msgstr "Hello %(name)s"

msgid "Còn %(num)s ca"
msgid_plural "Còn %(num)s ca"
msgstr[0] "One case left"
msgstr[1] "%(num)s cases left"

msgctxt "nút"
msgid "Khẩn"
msgstr "Urgent"

msgid "Đã lưu {time}"
msgstr "Saved {time}"
"""


class Product:
    """A tree as small as one can be translated."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("babel.cfg", Path("babel.cfg").read_text())
        self.write("telemed/vitals.py", PYTHON)
        self.write("templates/home.html", TEMPLATE)
        self.write("static/js/drafts.js", SCRIPT)
        self.write("locale/en/parts/all.po", ENGLISH)

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def translate(self, old: str, new: str) -> Report:
        self.write("locale/en/parts/all.po", ENGLISH.replace(old, new))
        return build(self.root)

    def read(self, name: str) -> str:
        return (self.root / name).read_text(encoding="utf-8")


@pytest.fixture
def product(tmp_path: Path) -> Product:
    return Product(tmp_path)


def test_a_complete_catalogue_has_no_problems(product: Product) -> None:
    assert list(build(product.root).lines()) == []


def test_the_server_reads_texts_plurals_and_contexts(product: Product) -> None:
    build(product.root)
    with (product.root / "locale/en/LC_MESSAGES/telemed.mo").open("rb") as file:
        english = GNUTranslations(file)
    assert english.gettext("Mạch") == "Pulse"
    assert english.gettext("Từ {low} đến {high}\u00a0%") == "From {low} to {high}\u00a0%"
    assert english.ngettext("Còn %(num)s ca", "Còn %(num)s ca", 1) == "One case left"
    assert english.ngettext("Còn %(num)s ca", "Còn %(num)s ca", 5) == "%(num)s cases left"
    assert english.pgettext("nút", "Khẩn") == "Urgent"


def test_the_browser_gets_only_its_own_texts(product: Product) -> None:
    build(product.root)
    script = product.read("static/js/catalogue/en.js")
    table = script.partition("Object.freeze(")[2].rpartition(");")[0]
    assert json.loads(table) == {"Đã lưu {time}": "Saved {time}"}


def test_the_same_sources_give_the_same_bytes(product: Product) -> None:
    names = ["locale/telemed.pot", "locale/en/LC_MESSAGES/telemed.po"]
    build(product.root)
    first = [product.read(name) for name in names]
    build(product.root)
    assert [product.read(name) for name in names] == first


def test_a_missing_translation_is_named_with_its_place(product: Product) -> None:
    report = product.translate('msgid "Mạch"\nmsgstr "Pulse"\n', "")
    assert report.untranslated == ["telemed/vitals.py:3: Mạch"]


@pytest.mark.parametrize(
    ("old", "new"),
    [('msgstr "Pulse"', 'msgstr ""'), ('msgstr[1] "%(num)s cases left"', 'msgstr[1] ""')],
)
def test_an_empty_translation_is_none(product: Product, old: str, new: str) -> None:
    assert len(product.translate(old, new).untranslated) == 1


def test_an_english_text_that_nothing_says_any_more_is_named(product: Product) -> None:
    product.write("telemed/vitals.py", PYTHON.replace("Mạch", "Nhịp thở"))
    report = build(product.root)
    assert report.unused == ["Mạch"]
    assert report.untranslated == ["telemed/vitals.py:3: Nhịp thở"]


def test_other_placeholders_are_wrong(product: Product) -> None:
    report = product.translate("Saved {time}", "Saved {at}")
    assert report.wrong == ["static/js/drafts.js:3: other placeholders: Đã lưu {time}"]


def test_two_parts_may_agree_but_not_differ(product: Product) -> None:
    product.write("locale/en/parts/other.po", ENGLISH)
    assert build(product.root).wrong == []
    product.write("locale/en/parts/other.po", ENGLISH.replace("Pulse", "Heart rate"))
    assert build(product.root).wrong == ["other.po: translated twice, differently: Mạch"]


def test_a_template_that_does_not_parse_stops_the_build(product: Product) -> None:
    product.write("templates/broken.html", "{% if %}")
    with pytest.raises(Exception, match="Expected an expression"):
        build(product.root)
