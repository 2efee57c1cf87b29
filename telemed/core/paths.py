"""Where static files, templates and catalogues lie: beside the sources, or inside the wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent
_BUNDLED = _PACKAGE / "_assets"
ROOT = _BUNDLED if _BUNDLED.is_dir() else _PACKAGE.parent

STATIC = ROOT / "static"
TEMPLATES = ROOT / "templates"
LOCALE = ROOT / "locale"
