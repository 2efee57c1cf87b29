"""Makes one preview in a process of its own: `python -I -m … SOURCE TARGET`.

What is decoded here may be hostile, so memory, processor time, file size and open files are
capped before Pillow sees a byte. Prints `width height`; exit status 3 means "not readable".
"""

from __future__ import annotations

import resource
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from PIL.Image import Image

MEMORY_BYTES = 1024 * 1024 * 1024
CPU_SECONDS = 15
OUTPUT_BYTES = 4 * 1024 * 1024
OPEN_FILES = 32
MOST_PIXELS = 40_000_000
LONGEST_SIDE = 1024
QUALITY = 60
UNREADABLE = 3


def _cap() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (OUTPUT_BYTES, OUTPUT_BYTES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def make_preview(source: Path, target: Path) -> tuple[int, int]:
    """Re-encode a picture as WebP: upright, small, without any metadata; the original's size."""
    from PIL import Image, ImageOps

    warnings.simplefilter("error", Image.DecompressionBombWarning)
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    with Image.open(source, formats=["JPEG", "PNG", "WEBP"]) as image:
        size = image.size
        image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
        upright = ImageOps.exif_transpose(image)
        shown = _in_colours_of_a_screen(upright)
        shown.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        clean = Image.new(shown.mode, shown.size)
        clean.paste(shown)
        clean.save(target, "WEBP", quality=QUALITY, method=4)
    return size


def _in_colours_of_a_screen(image: Image) -> Image:
    """X-rays come in 12 or 16 bits of grey: what there is of them fills the eight of a screen."""
    if image.mode.startswith("I"):
        low, high = cast("tuple[float, float]", image.getextrema())
        scale = 255 / max(1, high - low)
        image = image.point(lambda value: value * scale - low * scale).convert("L")
    is_clear = "A" in image.getbands() or "transparency" in image.info
    return image.convert("RGBA" if is_clear else "RGB")


def main() -> int:
    """Run once."""
    _cap()
    try:
        width, height = make_preview(Path(sys.argv[1]), Path(sys.argv[2]))
    except Exception:  # noqa: BLE001 - any failure of a decoder means the same: not readable
        return UNREADABLE
    sys.stdout.write(f"{width} {height}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
