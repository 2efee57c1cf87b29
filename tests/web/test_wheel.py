"""What is built to be installed serves without the sources beside it."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import ROOT, Telemed

PYTHON = [sys.executable, "-m"]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The built wheel, unpacked as pip does it, without its dependencies."""
    built, installed = tmp_path / "dist", tmp_path / "installed"
    build = [*PYTHON, "build", "--wheel", "--no-isolation", "--outdir", str(built), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = built.glob("*.whl")
    install = [*PYTHON, "pip", "install", "--no-deps", "--target", str(installed), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    return installed


@pytest.fixture
def server(installed: Path, tmp_path: Path) -> Iterator[Telemed]:
    server = Telemed(tmp_path)
    server.sources = installed
    yield server.start()
    server.stop()


def fetch(url: str, **headers: str) -> str:
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return str(answer.read().decode())


def test_the_wheel_alone_serves_pages_styles_and_both_languages(server: Telemed) -> None:
    page = fetch(f"{server.origin}/sign-in", Accept="text/html")
    assert "Đăng nhập" in page
    assert "Sign in" in fetch(
        f"{server.origin}/sign-in", Accept="text/html", Cookie="telemed_locale=en"
    )
    styles = re.findall(r'<link rel="stylesheet" href="([^"]+)"', page)
    assert styles
    assert all(fetch(server.origin + style) for style in styles)
