"""Vietnamese is the text itself, English comes from the catalogue, and what is missing stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo

from telemed.core.errors import Conflict
from telemed.core.i18n import Catalogue


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    texts = Catalog(locale="en")
    texts.add("Đã có {count} người", "{count} people are here")
    home = tmp_path / "en" / "LC_MESSAGES"
    home.mkdir(parents=True)
    with (home / "telemed.mo").open("wb") as file:
        write_mo(file, texts)
    return Catalogue(tmp_path)


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("vi", "Đã có 2 người"),
        ("en", "2 people are here"),
        ("fr", "Đã có 2 người"),
        ("", "Đã có 2 người"),
    ],
)
def test_a_refusal_is_told_in_a_language_we_have(
    catalogue: Catalogue, locale: str, expected: str
) -> None:
    refusal = Conflict("full", "Đã có {count} người", count=2)
    assert catalogue.explain(locale, refusal) == expected


@pytest.mark.parametrize("text", ["Chưa dịch", "Dấu {ngoặc} đứng yên", "{", ""])
def test_what_has_no_translation_or_no_parameters_stays_as_it_is(
    catalogue: Catalogue, text: str
) -> None:
    assert catalogue.translate("en", text, {}) == text


def test_what_somebody_typed_is_no_pattern(catalogue: Catalogue) -> None:
    text = catalogue.translate("en", "Đã có {count} người", {"count": "{secret}"})
    assert text == "{secret} people are here"
