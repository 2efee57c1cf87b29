"""The languages: collect the texts, merge the translations, write what serves them.

`python -m tools.catalogue` writes the catalogues and lists what is missing; `--check` also fails when
anything is; `--compile` writes them without a word, for a build that only wants to serve.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

DOMAIN = "telemed"
LANGUAGE = "en"
SCRIPTS = "static/js/"
# `t` marks a text in scripts, `N_` one in Python that is translated where it is shown.
KEYWORDS = {**DEFAULT_KEYWORDS, "t": None}
# The catalogues carry no date: the same sources give the same bytes.
_NO_DATE = datetime(2026, 1, 1, tzinfo=UTC)
_read_cfg: Callable[..., tuple[list[tuple[str, str]], dict[str, dict[str, str]]]] = (
    parse_mapping_cfg
)
# Babel's own reader of JavaScript loses calls inside template strings.
_CALL = re.compile(r'(?<![\w.$])t\(\s*("(?:[^"\\]|\\.)*")')
_PLACEHOLDER = re.compile(r"%\((\w+)\)[a-z]|\{(\w*)\}")


@dataclass
class Report:
    """What a translator has to see to, one line each."""

    untranslated: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """Every problem with its heading in front."""
        for heading, problems in (
            ("no translation", self.untranslated),
            ("translated but not in use", self.unused),
            ("wrong", self.wrong),
        ):
            yield from (f"{heading}: {problem}" for problem in problems)


def build(root: Path) -> Report:
    """Write the template, the merged catalogue in both forms and the catalogue of the scripts."""
    texts = collect(root)
    report = Report()
    merged = merge(texts, root / "locale" / LANGUAGE / "parts", report)
    home = root / "locale" / LANGUAGE / "LC_MESSAGES"
    scripts = root / SCRIPTS / "catalogue"
    for folder in (home, scripts):
        folder.mkdir(parents=True, exist_ok=True)
    with (root / "locale" / f"{DOMAIN}.pot").open("wb") as file:
        write_po(file, texts, width=100)
    with (home / f"{DOMAIN}.po").open("wb") as file:
        write_po(file, merged, width=100)
    # Whoever reads at this moment gets the old one or the new one, never half of one.
    part = home / f"{DOMAIN}.mo.part"
    with part.open("wb") as file:
        write_mo(file, merged)
    part.replace(home / f"{DOMAIN}.mo")
    (scripts / f"{LANGUAGE}.js").write_text(script_of(merged), encoding="utf-8")
    return report


def collect(root: Path) -> Catalog:
    """Every text of the product with the places where it stands."""
    with (root / "babel.cfg").open(encoding="utf-8") as file:
        methods, options = _read_cfg(file, filename="babel.cfg")
    texts = Catalog(domain=DOMAIN, project="Telemed", charset="utf-8", creation_date=_NO_DATE)
    found = extract_from_dir(str(root), methods, options, keywords=KEYWORDS)
    # The order of a directory is the file system's; the catalogue's is ours.
    for name, line, text, comments, context in sorted(found, key=lambda item: (item[0], item[1])):
        texts.add(text, locations=[(name, line)], auto_comments=comments, context=context)
    return texts


def extract_script(
    file: BinaryIO, *_settings: object, **_options: object
) -> Iterator[tuple[int, str, str, list[str]]]:
    """Texts that a module hands to `t`, wherever the call stands; called by Babel."""
    source = file.read().decode()
    for call in _CALL.finditer(source):
        yield source.count("\n", 0, call.start()) + 1, "t", json.loads(call[1]), []


def merge(texts: Catalog, parts: Path, report: Report) -> Catalog:
    """The translations of all parts in one catalogue; what does not fit goes into the report."""
    merged = Catalog(
        locale=LANGUAGE,
        domain=DOMAIN,
        project="Telemed",
        charset="utf-8",
        fuzzy=False,
        creation_date=_NO_DATE,
        revision_date=_NO_DATE,
    )
    given = _read_parts(parts, report)
    for text in _messages(texts):
        translation = given.pop(_key(text), None)
        place = f"{text.locations[0][0]}:{text.locations[0][1]}" if text.locations else ""
        if translation is None or not _is_complete(text, translation):
            report.untranslated.append(f"{place}: {_shown(text)}")
            continue
        if _placeholders(text.id) != _placeholders(translation.string):
            report.wrong.append(f"{place}: other placeholders: {_shown(text)}")
        merged.add(
            text.id,
            translation.string,
            locations=text.locations,
            flags=text.flags,
            context=text.context,
        )
    report.unused.extend(f"{_shown(message)}" for message in given.values())
    return merged


def script_of(merged: Catalog) -> str:
    """The texts of the scripts as an ES module."""
    table = {
        text.id: text.string
        for text in _messages(merged)
        if any(name.startswith(SCRIPTS) for name, _ in text.locations)
    }
    body = json.dumps(table, ensure_ascii=False, indent=1, sort_keys=True)
    return f"// Made by tools/catalogue.py from locale/{LANGUAGE}/parts.\nexport default Object.freeze({body});\n"


def _read_parts(parts: Path, report: Report) -> dict[tuple[str, str | None], Message]:
    given: dict[tuple[str, str | None], Message] = {}
    for path in sorted(parts.glob("*.po")):
        with path.open("rb") as file:
            part = read_po(file, locale=LANGUAGE, abort_invalid=True)
        for message in _messages(part):
            first = given.setdefault(_key(message), message)
            if first.string != message.string:
                report.wrong.append(
                    f"{path.name}: translated twice, differently: {_shown(message)}"
                )
    return given


def _messages(catalog: Catalog) -> Iterator[Message]:
    """The messages without the header."""
    return (message for message in catalog if message.id)


def _key(message: Message) -> tuple[str, str | None]:
    return _shown(message), message.context


def _shown(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[0]


def _forms(texts: str | Sequence[str] | None) -> tuple[str, ...]:
    return (texts or "",) if isinstance(texts, str) or texts is None else tuple(texts)


def _is_complete(text: Message, translation: Message) -> bool:
    forms = _forms(translation.string)
    return all(forms) and len(forms) >= len(_forms(text.id))


def _placeholders(texts: str | Sequence[str] | None) -> set[str]:
    """Names of what is filled in; a plural may leave the number out of one of its forms."""
    return {
        found[1] or found[2] or ""
        for form in _forms(texts)
        for found in _PLACEHOLDER.finditer(form)
    }


def main(arguments: list[str]) -> int:
    """Build; list the problems unless told to be quiet; fail on them when asked to check."""
    report = build(Path(__file__).resolve().parent.parent)
    if "--compile" in arguments:
        return 0
    problems = list(report.lines())
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems in the catalogue" if problems else "catalogue complete")
    return 1 if problems and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
