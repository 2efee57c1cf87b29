from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import brotli
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from telemed.web.assets import Assets, build_assets

CSS = "body{color:#14222a}\n" * 40


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    static = tmp_path / "static"
    (static / "css").mkdir(parents=True)
    (static / "js").mkdir()
    (static / "css" / "app.css").write_text(CSS)
    (static / "js" / "dom.js").write_text("export const one = 1;\n" * 20)
    (static / "logo.png").write_bytes(b"\x89PNG")
    (static / "README.md").write_text("for us")
    (tmp_path / "secret.txt").write_text("not for the browser")
    return static


@pytest.fixture
def assets(folder: Path) -> Assets:
    return Assets(folder)


@pytest.fixture
def built(folder: Path) -> list[Path]:
    return build_assets(folder)


@pytest.fixture
async def client(assets: Assets) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    app = web.Application()
    app.router.add_get(Assets.PATH, assets.serve)
    # Nothing may unpack what was sent: the test looks at the bytes on the wire.
    async with TestClient(TestServer(app), auto_decompress=False) as client:
        yield client


def test_url_carries_the_hash_of_the_whole_tree(assets: Assets) -> None:
    assert assets.url("css/app.css") == f"/static/{assets.digest}/css/app.css"


def test_url_of_unknown_file_is_a_mistake_in_the_page(assets: Assets) -> None:
    with pytest.raises(LookupError, match=r"css/none\.css"):
        assets.url("css/none.css")


def test_hash_changes_with_any_file_and_not_with_its_siblings(folder: Path) -> None:
    before = Assets(folder).digest
    build_assets(folder)
    assert Assets(folder).digest == before
    (folder / "js" / "dom.js").write_text("export const one = 2;")
    assert Assets(folder).digest != before


async def test_current_hash_may_be_kept_for_ever(
    client: TestClient[web.Request, web.Application], assets: Assets
) -> None:
    answer = await client.get(assets.url("css/app.css"))
    assert answer.status == 200
    assert answer.content_type == "text/css"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert await answer.text() == CSS


async def test_old_hash_is_answered_but_not_kept(
    client: TestClient[web.Request, web.Application],
) -> None:
    answer = await client.get("/static/0123456789abcdef/css/app.css")
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"


async def test_compressed_sibling_is_sent_to_those_who_take_it(
    client: TestClient[web.Request, web.Application], assets: Assets, built: list[Path]
) -> None:
    address = assets.url("css/app.css")
    packed = await client.get(address, headers={"Accept-Encoding": "gzip, br"})
    plain = await client.get(address, headers={"Accept-Encoding": "identity"})
    assert packed.headers["Content-Encoding"] == "br"
    assert packed.content_type == "text/css"
    assert brotli.decompress(await packed.read()).decode() == CSS
    assert "Content-Encoding" not in plain.headers
    assert await plain.text() == CSS


@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt",
        "..%2Fsecret.txt",
        "css/../../secret.txt",
        "css",
        "css/app.css.br",
        "none.js",
    ],
)
async def test_nothing_else_on_the_disk_is_served(
    client: TestClient[web.Request, web.Application],
    assets: Assets,
    built: list[Path],
    path: str,
) -> None:
    answer = await client.get(f"/static/{assets.digest}/{path}")
    assert answer.status == 404


def test_build_writes_what_is_missing_or_stale_only(folder: Path) -> None:
    written = build_assets(folder)
    assert [path.name for path in written] == ["app.css.br", "dom.js.br"]
    assert build_assets(folder) == []
    (folder / "js" / "dom.js").write_text("export const one = 2;")
    assert [path.name for path in build_assets(folder)] == ["dom.js.br"]


def test_stale_sibling_does_not_hide_an_edit(folder: Path) -> None:
    build_assets(folder)
    (folder / "css" / "app.css").write_text("body{}")
    Assets(folder)
    assert not (folder / "css" / "app.css.br").exists()
    assert (folder / "js" / "dom.js.br").exists()
