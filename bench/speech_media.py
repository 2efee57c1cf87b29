"""A made-up voice and a made-up picture for benchmarks: both cost what real ones cost."""

from __future__ import annotations

import math
import random
import struct
import wave
from pathlib import Path
from typing import Final

SAMPLES: Final = 48_000
VOICE_SECONDS: Final = 5
WIDTH, HEIGHT, FRAMES, RATE = 640, 480, 20, 30
NOISE: Final = 10


def write_voice(path: Path) -> None:
    """A tone that goes up and down in pitch and strength, as syllables do, and is never silent."""
    values = []
    phase = 0.0
    for number in range(SAMPLES * VOICE_SECONDS):
        moment = number / SAMPLES
        phase += 2 * math.pi * (220 + 90 * math.sin(2 * math.pi * 1.5 * moment)) / SAMPLES
        strength = 0.55 + 0.4 * math.sin(2 * math.pi * 4 * moment)
        values.append(round(14_000 * strength * (math.sin(phase) + 0.4 * math.sin(3 * phase))))
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(SAMPLES)
        sound.writeframes(struct.pack(f"<{len(values)}h", *values))


def write_picture(path: Path) -> None:
    """A pattern that moves, with the noise of a cheap camera."""
    chance = random.Random(1)
    grain = bytes(chance.randrange(NOISE) for _ in range(2 * WIDTH * HEIGHT))
    ramp = bytes(column % WIDTH * 160 // WIDTH + 40 for column in range(2 * WIDTH))
    chroma = bytes([128]) * (WIDTH * HEIGHT // 2)
    with path.open("wb") as film:
        film.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{RATE}:1 Ip A1:1 C420jpeg\n".encode())
        for frame in range(FRAMES):
            film.write(b"FRAME\n")
            start = chance.randrange(WIDTH * HEIGHT)
            for row in range(HEIGHT):
                shift = (frame * 16 + row) % WIDTH
                noise = start + row * WIDTH
                line = ramp[shift : shift + WIDTH]
                grains = grain[noise : noise + WIDTH]
                film.write(bytes(light + more for light, more in zip(line, grains, strict=True)))
            film.write(chroma)
