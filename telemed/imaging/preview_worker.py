"""Makes one preview in a process of its own: `python -I -m … SOURCE TARGET`.

What is decoded here may be hostile, so memory, processor time, file size and open files are
capped before Pillow sees a byte. Prints `width height`; exit status 3 means "not readable".
"""

from __future__ import annotations

import resource
import sys
import warnings
from pathlib import Path

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

    warnings.simplefilter("error")
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    with Image.open(source, formats=["JPEG", "PNG", "WEBP"]) as image:
        if image.width * image.height > MOST_PIXELS:
            raise ValueError("too many pixels")
        size = image.size
        image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
        upright = ImageOps.exif_transpose(image)
        shown = upright.convert("RGBA" if "A" in upright.getbands() else "RGB")
        shown.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        clean = Image.new(shown.mode, shown.size)
        clean.paste(shown)
        clean.save(target, "WEBP", quality=QUALITY, method=4)
    return size


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
