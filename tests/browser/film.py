"""What a fake camera of Chromium shows: a film of a card that is brought before it."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from tests.cards import DESK, Shot, photographed

SIZE = (1280, 720)
FRAMES_A_SECOND = 10
EMPTY_FRAMES = 8


def film_card(path: Path, text: str) -> Path:
    """Less than a second of an empty desk, then a card in a hand that is not quite still; over again."""
    frames = [Image.new("L", SIZE, DESK)] * EMPTY_FRAMES
    frames += [_frame(text, degrees) for degrees in (14, 11, 9, 8, 8, 7, 7, 8, 8, 9, 10, 12)]
    grey = b"\x80" * (SIZE[0] * SIZE[1] // 2)
    with path.open("wb") as film:
        film.write(f"YUV4MPEG2 W{SIZE[0]} H{SIZE[1]} F{FRAMES_A_SECOND}:1 Ip A1:1 C420\n".encode())
        for frame in frames:
            film.write(b"FRAME\n" + frame.tobytes() + grey)
    return path


def _frame(text: str, degrees: float) -> Image.Image:
    wide = Image.new("L", SIZE, DESK)
    card = photographed(text, Shot(side=720, share=0.45, degrees=degrees, blur=1.1, noise=10))
    wide.paste(card, ((SIZE[0] - card.width) // 2, 0))
    return wide
