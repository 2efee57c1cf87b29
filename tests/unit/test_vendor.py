"""What is vendored is what was published, and the list of it is whole."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
VENDOR = ROOT / "static" / "vendor"
ROW = re.compile(
    r"^\| `(?P<file>[^`]+)` \| (?P<name>\S+) \| (?P<version>\S+) \| .+ \| `(?P<sum>\w+)`"
)


def _rows() -> list[re.Match[str]]:
    lines = (VENDOR / "README.md").read_text().splitlines()
    return [row for line in lines if (row := ROW.match(line))]


def test_vendored_files_have_the_listed_sums() -> None:
    listed = {row["file"]: row["sum"] for row in _rows()}
    there = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.iterdir()
        if path.suffix not in {".md", ".ts", ".br", ".gz"}
    }
    assert there == listed


def test_vendored_versions_are_those_that_the_checks_install() -> None:
    installed = json.loads((ROOT / "package.json").read_text())["devDependencies"]
    versions = {row["name"]: row["version"] for row in _rows()}
    assert versions == {name: installed[name] for name in versions}
