"""Passwords: which are good enough, and argon2id hashing that never holds up the event loop."""

from __future__ import annotations

import asyncio
import secrets
import unicodedata
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from telemed.core.config import Settings
from telemed.core.errors import N_, Invalid, Unavailable
from telemed.core.text import fold

LONGEST = 128
SHORTEST_ALONE = 15
SHORTEST_WITH_SECOND_FACTOR = 8
LONGEST_QUEUE = 64
SHORTEST_CONTEXT_WORD = 4
FEWEST_LETTERS = 5

Answer = TypeVar("Answer")

_CONTEXT = ("telemed", "dienbien")
_LOOK_ALIKES = str.maketrans("@4310$5!", "aaeiossi")
_ROWS = ("0123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm")
_RUNS = tuple(row * (LONGEST // len(row) + 2) for row in _ROWS)


def normalise(password: str) -> str:
    """One form for what looks the same: keyboards and phones compose marks differently."""
    return unicodedata.normalize("NFC", password)


@dataclass(frozen=True)
class PasswordPolicy:
    """Length counts, guessable ones are refused; no rule asks for digits or capitals."""

    common: frozenset[str]

    @classmethod
    def shipped(cls) -> PasswordPolicy:
        """The policy with the list that comes with the product."""
        lines = Path(__file__).with_name("common_passwords.txt").read_text("utf-8").splitlines()
        return cls(frozenset(line for line in lines if line and not line.startswith("#")))

    def check(
        self, password: str, *, field: str, has_second_factor: bool, context: Iterable[str] = ()
    ) -> None:
        """Raise Invalid for a password that is too short, too long or easy to guess.

        `context` holds words that a guesser tries first: the names of the person.
        """
        shortest = SHORTEST_WITH_SECOND_FACTOR if has_second_factor else SHORTEST_ALONE
        length = len(normalise(password))
        if length < shortest:
            raise Invalid(
                "password_too_short",
                N_("Mật khẩu cần ít nhất {limit} ký tự – đang có {length}"),
                field=field,
                limit=shortest,
                length=length,
            )
        if length > LONGEST:
            raise Invalid(
                "password_too_long",
                N_("Mật khẩu dài nhất {limit} ký tự – đang có {length}"),
                field=field,
                limit=LONGEST,
                length=length,
            )
        word = self._context_word(password, context)
        if word is not None:
            raise Invalid(
                "password_has_name",
                N_("Mật khẩu có chữ “{word}”, dễ đoán. Chọn câu khác."),
                field=field,
                word=word,
            )
        if self._is_common(password):
            raise Invalid(
                "password_common", N_("Nhiều người dùng mật khẩu này. Chọn câu khác."), field=field
            )

    def _context_word(self, password: str, names: Iterable[str]) -> str | None:
        tight = fold(password).replace(" ", "")
        folded = [fold(name) for name in names]
        words = [*_CONTEXT, *(name.replace(" ", "") for name in folded)]
        words += [part for name in folded for part in name.split()]
        return next((w for w in words if len(w) >= SHORTEST_CONTEXT_WORD and w in tight), None)

    def _is_common(self, password: str) -> bool:
        tight = fold(password).replace(" ", "")
        if len(set(tight)) < FEWEST_LETTERS:
            return True
        if any(tight in run or tight in run[::-1] for run in _RUNS):
            return True
        bare = {tight, tight.strip("0123456789!@#$%^&*()-_=+.,?/\\|~`'\"")}
        bare |= {form.translate(_LOOK_ALIKES) for form in list(bare)}
        return any(_unit(form) in self.common for form in bare)


def _unit(text: str) -> str:
    """What a text repeats, or the text itself: `matkhaumatkhau` is `matkhau`."""
    return text[: (text + text).find(text, 1)] if text else text


@dataclass(frozen=True)
class Verdict:
    """Whether a password was right, and a newer hash to store when the settings have changed."""

    is_right: bool
    newer_hash: str | None = None


_WRONG = Verdict(is_right=False)


class PasswordHasher:
    """argon2id on a few threads; what cannot wait its turn is told to come back."""

    def __init__(self, *, memory_kib: int, threads: int) -> None:
        self._argon2 = argon2.PasswordHasher(
            time_cost=2, memory_cost=memory_kib, parallelism=1, type=argon2.Type.ID
        )
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="password")
        self._waiting = 0
        # Checked in place of a hash that does not exist, so that both take the same time.
        self._nobody = self._argon2.hash(secrets.token_urlsafe())

    @classmethod
    def of(cls, settings: Settings) -> PasswordHasher:
        """A hasher as the installation wants it."""
        return cls(
            memory_kib=settings.password_hash_memory_kib, threads=settings.password_hash_threads
        )

    async def hash(self, password: str) -> str:
        """The hash to store."""
        return await self._run(lambda: self._argon2.hash(normalise(password)))

    async def verify(self, stored: str | None, password: str) -> Verdict:
        """Whether the password belongs to the hash; None takes as long and is never right."""
        return await self._run(lambda: self._verify(stored, normalise(password)))

    def close(self) -> None:
        """Let the threads end, each after the hash it is at."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verify(self, stored: str | None, password: str) -> Verdict:
        try:
            self._argon2.verify(stored or self._nobody, password)
        except (VerificationError, InvalidHashError):
            return _WRONG
        if stored is None:
            return _WRONG
        is_old = self._argon2.check_needs_rehash(stored)
        return Verdict(is_right=True, newer_hash=self._argon2.hash(password) if is_old else None)

    async def _run(self, call: Callable[[], Answer]) -> Answer:
        if self._waiting >= LONGEST_QUEUE:
            raise Unavailable(
                "sign_in_busy", N_("Nhiều người đăng nhập cùng lúc. Thử lại sau ít giây.")
            )
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        finally:
            self._waiting -= 1
