"""Files of the browser: one hash for the whole tree, cached for ever, sent as compressed siblings."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import brotli
from aiohttp import web

_TEXT = frozenset({".css", ".js", ".json", ".svg"})
# Notes, type declarations and compressed siblings lie beside them and are nobody's business.
_SERVED = _TEXT | {".ico", ".mp3", ".ogg", ".png", ".wav", ".webmanifest", ".webp", ".woff2"}
_FOREVER = "public, max-age=31536000, immutable"


class Assets:
    """The static tree as it was when the server started.

    The hash stands in front of the path, not in the file name: modules import each other by
    relative paths and so always stay within one version.
    """

    PATH = "/static/{digest}/{path:.+}"

    def __init__(self, folder: Path) -> None:
        self._files = {path.relative_to(folder).as_posix(): path for path in _sources(folder)}
        _drop_stale_siblings(self._files.values())
        self.digest = _digest(self._files)

    def url(self, path: str) -> str:
        """Address of a file; a name that does not exist is a mistake in the page."""
        if path not in self._files:
            raise LookupError(f"no such asset: {path}")
        return f"/static/{self.digest}/{path}"

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Send a file of the tree, and nothing else on the disk."""
        path = self._files.get(request.match_info["path"])
        if path is None:
            raise web.HTTPNotFound
        # A page of the version before may still ask: it gets the file, but must not keep it.
        known = request.match_info["digest"] == self.digest
        return web.FileResponse(path, headers={"Cache-Control": _FOREVER if known else "no-store"})


def build_assets(folder: Path) -> list[Path]:
    """Write the compressed siblings that are missing or stale; returns those written."""
    written = []
    for path in _sources(folder):
        if path.suffix not in _TEXT:
            continue
        sibling = path.with_name(path.name + ".br")
        packed = brotli.compress(path.read_bytes(), mode=brotli.MODE_TEXT, quality=11)
        if not sibling.exists() or sibling.read_bytes() != packed:
            sibling.write_bytes(packed)
            written.append(sibling)
    return written


def _sources(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix in _SERVED)


def _drop_stale_siblings(sources: Iterable[Path]) -> None:
    """An edited file with an old sibling beside it would go out as it was before the edit."""
    for path in sources:
        sibling = path.with_name(path.name + ".br")
        if sibling.exists() and brotli.decompress(sibling.read_bytes()) != path.read_bytes():
            sibling.unlink()


def _digest(files: dict[str, Path]) -> str:
    tree = hashlib.sha256()
    for name, path in sorted(files.items()):
        tree.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return tree.hexdigest()[:16]
