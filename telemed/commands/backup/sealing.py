"""A sealed stream: AES-256-GCM in chunks, under a key made from a passphrase.

Layout: `MAGIC`, 16 bytes of salt, 16 bytes that show whether the passphrase is right, then chunks
of `CHUNK` bytes (the last one shorter), each followed by its 16 bytes of tag. The nonce of a chunk
is its number (11 bytes) and one byte that is 1 for the last: chunks cannot be left out, swapped or
cut off. scrypt (N = 2^15, r = 8, p = 1) makes 64 bytes: the cipher's key and that of the check.
"""

from __future__ import annotations

import hmac
import secrets
from pathlib import Path
from typing import BinaryIO, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from telemed.commands.base import CommandFailed

MAGIC = b"TELEMED BACKUP 1\n"
CHUNK = 1024 * 1024
SHORTEST_PASSPHRASE = 16
_SALT, _CHECK, _TAG = 16, 16, 16
_COUNTER = 11
_LAST, _MORE = b"\x01", b"\x00"


class BackupDamaged(CommandFailed):
    """Something in a backup is not what was written."""


class _Keys(NamedTuple):
    cipher: AESGCM
    check: bytes


def read_passphrase(path: Path) -> bytes:
    """The passphrase in a file, without the end of its line."""
    try:
        passphrase = path.read_bytes().strip()
    except OSError as error:
        raise CommandFailed(f"--key-file: cannot read {path}") from error
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise CommandFailed(f"--key-file: needs at least {SHORTEST_PASSPHRASE} characters")
    return passphrase


def _derive(passphrase: bytes, salt: bytes) -> _Keys:
    derived = Scrypt(salt=salt, length=64, n=2**15, r=8, p=1).derive(passphrase)
    check = hmac.digest(derived[32:], MAGIC + salt, "sha256")[:_CHECK]
    return _Keys(AESGCM(derived[:32]), check)


def _nonce(number: int, end: bytes) -> bytes:
    return number.to_bytes(_COUNTER, "big") + end


class SealedWriter:
    """Seals what is written to it. Nothing can be opened before `finish`."""

    def __init__(self, target: BinaryIO, passphrase: bytes) -> None:
        salt = secrets.token_bytes(_SALT)
        self._keys = _derive(passphrase, salt)
        self._header = MAGIC + salt + self._keys.check
        self._target, self._number, self._held = target, 0, bytearray()
        target.write(self._header)

    def write(self, data: bytes) -> int:
        """Take any number of bytes; whole chunks go on."""
        self._held += data
        while len(self._held) > CHUNK:
            self._seal(bytes(self._held[:CHUNK]), _MORE)
            del self._held[:CHUNK]
        return len(data)

    def finish(self) -> None:
        """Seal what is left, as the last chunk."""
        self._seal(bytes(self._held), _LAST)
        self._held.clear()

    def _seal(self, chunk: bytes, end: bytes) -> None:
        nonce = _nonce(self._number, end)
        self._target.write(self._keys.cipher.encrypt(nonce, chunk, self._header))
        self._number += 1


class SealedReader:
    """Opens a sealed stream; whatever is not as it was written raises BackupDamaged."""

    def __init__(self, source: BinaryIO, passphrase: bytes) -> None:
        self._header = source.read(len(MAGIC) + _SALT + _CHECK)
        if not self._header.startswith(MAGIC) or len(self._header) < len(MAGIC) + _SALT + _CHECK:
            raise BackupDamaged("this file is no backup of Telemed")
        self._keys = _derive(passphrase, self._header[len(MAGIC) :][:_SALT])
        if not hmac.compare_digest(self._keys.check, self._header[-_CHECK:]):
            raise BackupDamaged("the passphrase is not that of this backup, or its head is damaged")
        self._source, self._number, self._held = source, 0, b""
        self._next = source.read(CHUNK + _TAG)
        self._is_over = False

    def read(self, size: int = -1) -> bytes:
        """That many bytes, fewer only at the end."""
        pieces, missing = [], size
        while missing and (self._held or self._open_next()):
            piece = self._held[:missing] if missing > 0 else self._held
            self._held = self._held[len(piece) :]
            pieces.append(piece)
            missing -= len(piece) if missing > 0 else 0
        return b"".join(pieces)

    def _open_next(self) -> bool:
        if self._is_over:
            return False
        sealed, self._next = self._next, self._source.read(CHUNK + _TAG)
        end = _MORE if self._next else _LAST
        try:
            nonce = _nonce(self._number, end)
            self._held = self._keys.cipher.decrypt(nonce, sealed, self._header)
        except (InvalidTag, ValueError) as error:
            where = self._number * CHUNK
            raise BackupDamaged(f"the backup is damaged or cut off after byte {where}") from error
        self._number += 1
        self._is_over = end is _LAST
        return bool(self._held)
