"""The real coturn for tests, with the configuration that is deployed, and a client that only asks."""

from __future__ import annotations

import base64
import hashlib
import shutil
import socket
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Self

from aioice.stun import Class, Message, Method, parse_message
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tests.servers import ROOT, STOP_SECONDS, accepts, free_port, wait_until

DEPLOYED = ROOT / "deploy" / "turnserver.conf"
REALM = "turn.example.vn"
LOOPBACK = "127.0.0.1"
ANSWER_SECONDS = 20
MOST_PATHS = 500


class Coturn:
    """One coturn of its own: the deployed file, and after it where it may listen and write.

    Chromium's own other side is on loopback here, so a call needs `reaches_loopback`.
    """

    def __init__(
        self,
        *secrets: str,
        reaches_loopback: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="telemed-turn-"))
        self.port, self.tls_port, first = free_port(), free_port(), free_port()
        self.log = self.directory / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._configuration = self.directory / "turnserver.conf"
        own = {
            "listening-port": str(self.port),
            "tls-listening-port": str(self.tls_port),
            "min-port": str(first),
            "max-port": str(first + MOST_PATHS),
            "cert": str(self.directory / "certificate.pem"),
            "pkey": str(self.directory / "key.pem"),
            "pidfile": str(self.directory / "pid"),
            "userdb": str(self.directory / "turndb"),
            **({"allowed-peer-ip": LOOPBACK} if reaches_loopback else {}),
            **(settings or {}),
        }
        lines = [f"{name}={value}" for name, value in own.items()]
        lines += [f"{kind}-ip={place}" for kind in ("listening", "relay") for place in ADDRESSES]
        lines += ["allow-loopback-peers"] if reaches_loopback else []
        # The last line on a subject wins.
        self._configuration.write_text("\n".join([DEPLOYED.read_text(), *lines, ""]))
        _write_certificate(self.directory)
        for secret in secrets:
            self.add_secret(secret)

    @property
    def udp(self) -> str:
        """The address over UDP, as the settings take it."""
        return f"turn:{LOOPBACK}:{self.port}?transport=udp"

    @property
    def tcp(self) -> str:
        """The address over TCP."""
        return f"turn:{LOOPBACK}:{self.port}?transport=tcp"

    @property
    def tls(self) -> str:
        """The address over TLS."""
        return f"turns:{LOOPBACK}:{self.tls_port}?transport=tcp"

    @property
    def fingerprint(self) -> str:
        """Of its certificate's key, as Chromium takes it."""
        key = x509.load_pem_x509_certificate(self.certificate.read_bytes()).public_key()
        encoded = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(hashlib.sha256(encoded).digest()).decode()

    @property
    def certificate(self) -> Path:
        """What it shows to who comes over TLS; nobody has signed it."""
        return self.directory / "certificate.pem"

    def start(self) -> Self:
        """Start and wait until it accepts connections."""
        command = ["turnserver", "-c", str(self._configuration)]
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                command, stdout=output, stderr=output, cwd=self.directory
            )
        wait_until(self._is_ready, self._process, self.log)
        return self

    def _is_ready(self) -> bool:
        is_heard = all(_answers(address, self.port) for address in ADDRESSES)
        return is_heard and accepts(self.port) and accepts(self.tls_port)

    def stop(self) -> None:
        """End it; every path through it is gone."""
        if self._process:
            self._process.terminate()
            self._process.wait(STOP_SECONDS)
            self._process = None

    def remove(self) -> None:
        """End it and throw its files away."""
        self.stop()
        shutil.rmtree(self.directory)

    # What `turnadmin --set-secret` and `--delete-secret` do; they would write into /var/log.

    def add_secret(self, secret: str) -> None:
        """One more secret is good."""
        with self._database() as database:
            database.execute("INSERT INTO turn_secret VALUES (?, ?)", (REALM, secret))

    def delete_secret(self, secret: str) -> None:
        """A secret is good no more."""
        with self._database() as database:
            database.execute("DELETE FROM turn_secret WHERE value = ?", (secret,))

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.directory / "turndb")) as database, database:
            database.execute(
                "CREATE TABLE IF NOT EXISTS turn_secret"
                " (realm varchar(127), value varchar(256), primary key (realm, value))"
            )
            yield database


ADDRESSES = (LOOPBACK, "::1")


class TurnClient:
    """Asks a TURN server over UDP for paths, and whom they may lead to. Sends nothing through them."""

    def __init__(self, port: int, username: str, password: str, family: int = 4) -> None:
        kind, host = {4: (socket.AF_INET, LOOPBACK), 6: (socket.AF_INET6, "::1")}[family]
        self._socket = socket.socket(kind, socket.SOCK_DGRAM)
        self._socket.settimeout(ANSWER_SECONDS)
        self._socket.connect((host, port))
        self._username, self._password = username, password
        self._known: dict[str, Any] = {}
        self._family = family

    def allocate(self) -> int:
        """Ask for a path; 0 or the number of the refusal."""
        wanted = {"REQUESTED-TRANSPORT": 0x11000000}
        challenge = self._ask(Method.ALLOCATE, wanted).attributes
        self._known = {name: challenge[name] for name in ("REALM", "NONCE")}
        return self._ask(Method.ALLOCATE, wanted).error_code or 0

    def renew(self) -> int:
        """Ask for the path to live on; 0 or the number of the refusal."""
        return self._ask(Method.REFRESH, {}).error_code or 0

    def permit(self, peer: str) -> int:
        """Ask for leave to send to somebody; 0 or the number of the refusal."""
        wanted = {"XOR-PEER-ADDRESS": (peer, 9)}
        return self._ask(Method.CREATE_PERMISSION, wanted).error_code or 0

    def close(self) -> None:
        """Be gone."""
        self._socket.close()

    def _ask(self, method: Method, attributes: Mapping[str, Any]) -> Message:
        message = Message(method, Class.REQUEST, attributes=dict(attributes))
        if self._known:
            message.attributes |= {"USERNAME": self._username, **self._known}
            words = f"{self._username}:{self._known['REALM']}:{self._password}"
            message.add_message_integrity(hashlib.md5(words.encode()).digest())
        self._socket.send(bytes(message))
        return parse_message(self._socket.recv(2048))


def _answers(address: str, port: int) -> bool:
    kind = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(kind, socket.SOCK_DGRAM) as line, suppress(OSError):
        line.settimeout(0.2)
        line.connect((address, port))
        line.send(bytes(Message(Method.BINDING, Class.REQUEST)))
        return bool(line.recv(2048))
    return False


def _write_certificate(directory: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, LOOPBACK)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address(LOOPBACK))]), critical=False
        )
        .sign(key, SHA256())
    )
    (directory / "certificate.pem").write_bytes(signed.public_bytes(Encoding.PEM))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (directory / "key.pem").write_bytes(private)
