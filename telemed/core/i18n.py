"""Languages at run time: Vietnamese is the text itself, English comes from the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from babel.support import NullTranslations, Translations

from telemed.core.errors import Param, TelemedError

DEFAULT_LOCALE = "vi"
LOCALES = ("vi", "en")
DOMAIN = "telemed"


class Catalogue:
    """All languages of one installation, loaded once."""

    def __init__(self, folder: Path) -> None:
        self._texts: dict[str, NullTranslations] = {
            locale: Translations.load(folder, [locale], DOMAIN)
            if locale != DEFAULT_LOCALE
            else NullTranslations()
            for locale in LOCALES
        }

    def texts(self, locale: str) -> NullTranslations:
        """Translations of a language; Vietnamese for one we do not have."""
        return self._texts.get(locale, self._texts[DEFAULT_LOCALE])

    def translate(self, locale: str, message: str, params: Mapping[str, Param]) -> str:
        """A message in a language with its parameters filled in."""
        text = self.texts(locale).gettext(message) if message else ""
        return text.format(**params) if params else text

    def explain(self, locale: str, error: TelemedError) -> str:
        """The text of a refusal in a language."""
        return self.translate(locale, error.message, error.params)
