"""The law of the house (docs: CONTRIBUTING.md), held against every file of the project.

What each rule finds in a file that breaks it is shown in `tests/architecture/test_rules.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

import pytest

from telemed.accounts.permissions import Action
from telemed.signaling.events import events
from telemed.signaling.protocol import EVENTS
from tests.architecture.doors import check_doors
from tests.architecture.imports import House, check_imports
from tests.architecture.marks import check_marks, check_models
from tests.architecture.scripts import check_scripts, marked_in_script
from tests.architecture.sizes import check_sizes
from tests.architecture.sources import Finding, Source, sources
from tests.architecture.templates import check_templates, marked_in_template
from tests.architecture.words import check_python, check_tone, marked_in_python

HOUSE = House(
    levels={
        "composition": (
            "telemed.__main__",
            "telemed.app",
            "telemed.commands*",
            "telemed.demo*",
            "telemed.migrations*",
        ),
        "edge": (
            *("telemed.*.views*", "telemed.*_views", "telemed.web*", "telemed.signaling*"),
            # The edge to those who take messages over.
            "telemed.notices.gateways*",
            # The fields of every form that is signed.
            "telemed.accounts.signing",
        ),
        "keys": ("telemed.keys",),
        "rules": ("telemed.*",),
        "rows": (
            *("telemed.*.models", "telemed.*.repository", "telemed.signaling.protocol*"),
            # What a patient's papers say: values, without a database.
            *("telemed.patients.identity", "telemed.patients.intake", "telemed.patients.birth"),
            *(
                "telemed.patients.cards",
                "telemed.patients.ethnic_groups",
                "telemed.patients.languages",
            ),
        ),
        "core": ("telemed.core*",),
        "pure": (
            "telemed",
            "telemed.core.errors",
            "telemed.*.lifecycle",
            "telemed.accounts.permissions*",
            "telemed.consults.triage*",
            "telemed.scheduling.escalation.rungs",
            "telemed.notices.kinds",
            "telemed.consults.outcomes.rules",
            "telemed.consults.rights.rules",
            "telemed.patients.retention",
            "telemed.training.caselog.rules",
            "telemed.training.entrustment.levels",
            "telemed.training.rotations.rules",
            "telemed.sessions.prints.codes",
        ),
    },
    domains=(
        frozenset({"facilities"}),
        frozenset({"accounts"}),
        frozenset({"notices"}),
        frozenset({"patients"}),
        frozenset({"consults"}),
        frozenset({"imaging", "scheduling"}),
        frozenset({"sessions"}),
        frozenset({"training"}),
        frozenset({"review"}),
    ),
    ignorant=frozenset({"media", "core", "printing"}),
    edge_packages=frozenset({"aiohttp", "socketio", "engineio", "multidict", "yarl"}),
    pure="pure",
    pure_may_use=frozenset({"telemed.core.errors"}),
    web_may_use=frozenset({"accounts"}),
    types_only=frozenset({"telemed.keys"}),
)
MODULE_LINES = 400
FUNCTION_LINES = 60

# Vietnamese that is data, not speech to the user.
DATA_FILES = {
    "telemed/core/text.py": "the alphabet and its tones",
    "telemed/core/scrub.py": "how people are addressed and days are written",
    "telemed/facilities/reference.py": "names of departments and stations",
    "telemed/training/caselog/summary_sheet.py": "columns of the province's spreadsheet",
    "telemed/training/rotations/deployment_sheet.py": "columns of the province's spreadsheet",
    "telemed/demo/*.py": "made-up people and their cases",
    "templates/components.html": "made-up people",
}
# The composition root, the table of routes itself, and the one door that is a socket.
DOOR_MAKERS = frozenset(
    {"telemed/app.py", "telemed/web/routing.py", "telemed/signaling/engine/server.py"}
)

PACKAGE = sources("telemed/**/*.py")
PYTHON = [*PACKAGE, *sources("tools/**/*.py", "tests/**/*.py", "bench/**/*.py")]
TEMPLATES = sources("templates/**/*.html", "templates/**/*.txt")
SCRIPTS = sources("static/js/**/*.js")
TEXTS = sources(
    *("*.md", "*.toml", "*.json", "Makefile", ".ci/*", ".npmrc", "docs/**/*.md", "deploy/**/*"),
    *("requirements/*", "tools/*.sh", "locale/**/*.po", "tests/js/**/*.js"),
)


def hold(findings: Iterable[Finding]) -> None:
    """No finding, or all of them, one a line, in the order of the files."""
    found = [str(finding) for finding in sorted(set(findings))]
    if found:
        pytest.fail("\n".join(found), pytrace=False)


@pytest.fixture(scope="module", autouse=True)
def trees_are_forgotten() -> Iterator[None]:
    """A million nodes: collecting garbage among them would slow everything that runs afterwards."""
    yield
    for source in PYTHON:
        vars(source).pop("tree", None)


def without(files: list[Source], patterns: Iterable[str]) -> list[Source]:
    left_out = list(patterns)
    return [file for file in files if not any(fnmatchcase(file.path, p) for p in left_out)]


def test_imports_go_down_the_house() -> None:
    hold(check_imports(PACKAGE, HOUSE))


def test_nothing_outgrows_its_budget() -> None:
    grown = [file for file in PYTHON if "/migrations/versions/" not in file.path]
    hold(check_sizes(grown, module_lines=MODULE_LINES, function_lines=FUNCTION_LINES))


def test_every_route_and_event_names_its_action() -> None:
    hold(check_doors(PACKAGE, actions=Action.__members__, may_open_doors=DOOR_MAKERS))


def test_every_event_of_the_protocol_has_a_model_and_an_action() -> None:
    assert set(events.specs) == set(EVENTS)


def test_python_keeps_its_words_in_the_catalogue() -> None:
    hold(check_python(without(PACKAGE, DATA_FILES)))


def test_templates_keep_their_words_in_the_catalogue() -> None:
    hold(check_templates(without(TEMPLATES, DATA_FILES)))


def test_browser_modules_keep_their_words_in_the_catalogue() -> None:
    hold(check_scripts(SCRIPTS))


def test_the_product_speaks_with_one_voice() -> None:
    spoken = [
        *((file, marked_in_python(file)) for file in PACKAGE),
        *((file, marked_in_template(file)) for file in TEMPLATES),
        *((file, marked_in_script(file)) for file in SCRIPTS),
    ]
    hold(finding for file, texts in spoken for finding in check_tone(file, texts))


def test_nothing_is_unfinished_silenced_or_bound_to_one_machine() -> None:
    files = without(PYTHON + TEMPLATES + SCRIPTS + TEXTS, ["tests/architecture/*.py"])
    hold(check_marks(files))


def test_models_evaluate_their_annotations() -> None:
    hold(check_models(PACKAGE))
