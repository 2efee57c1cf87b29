"""Settings: read once at start from the environment (`TELEMED_…`) and from secret files."""

from __future__ import annotations

import ipaddress
import re
import secrets
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

_TURN_URL = re.compile(
    r"turns?:(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?"
    r"(?:\?transport=(?:udp|tcp))?"
)
_SECRET_LETTERS = 32


class IceServer(BaseModel):
    """One STUN or TURN server as browsers take it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    urls: list[str]
    username: str | None = None
    credential: str | None = None


def _checked_turn_url(url: str) -> str:
    if not _TURN_URL.fullmatch(url):
        raise ValueError("use turn:host:port?transport=udp, …=tcp or turns:host:port?transport=tcp")
    return url


TurnUrl = Annotated[str, AfterValidator(_checked_turn_url)]


def _checked_address(address: str) -> str:
    if address:
        try:
            ipaddress.ip_address(address)
        except ValueError:
            raise ValueError("use one IPv4 or IPv6 address") from None
    return address


RelayAddress = Annotated[str, AfterValidator(_checked_address)]


class MailSettings(BaseModel):
    """The server that takes mail over (SMTP submission, RFC 6409); none without a host."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    host: str = ""
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: SecretStr = SecretStr("")
    sender: Annotated[str, Field(pattern=r"^([^@\s<>]+@[^@\s<>]+)?$")] = ""


class SmsSettings(BaseModel):
    """A gateway for SMS with an HTTP door; none without an address.

    `fields` is what it wants to be told, with `{to}`, `{text}` and `{id}` as values; `reference`
    is where its answer names the message (`data.0.id`). With `report_token` it may say at
    `/notices/sms-reports` what became of a message.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    url: Annotated[str, Field(pattern=r"^(https?://\S+)?$")] = ""
    token: SecretStr = SecretStr("")
    fields: dict[str, str] = {"to": "{to}", "text": "{text}", "id": "{id}"}
    reference: Annotated[str, Field(min_length=1)] = "id"
    report_token: SecretStr = SecretStr("")


class PushSettings(BaseModel):
    """Push services that browsers may name: hosts with all below them, or whole origins."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    hosts: list[str] = [
        "fcm.googleapis.com",
        "push.services.mozilla.com",
        "notify.windows.com",
        "push.apple.com",
    ]


class SigningSettings(BaseModel):
    """An organisation's certificate (PKCS#12) that PDF papers are signed with; none by default."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    certificate: Path | None = None
    password: SecretStr = SecretStr("")


class Settings(BaseSettings):
    """Everything that differs between installations. Frozen; passed on, never imported."""

    model_config = SettingsConfigDict(
        env_prefix="TELEMED_", frozen=True, extra="ignore", env_nested_delimiter="__"
    )

    data_dir: Path = Path("var")
    database_url: str = ""
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    public_origin: str = ""
    secret_key: SecretStr = SecretStr("")
    secret_key_file: Path | None = None
    trusted_proxies: list[str] = []
    demo: bool = False
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"

    login_idle_minutes: Annotated[int, Field(ge=1)] = 60
    login_absolute_hours: Annotated[int, Field(ge=1)] = 12
    activation_hours: Annotated[int, Field(ge=1)] = 72
    password_hash_memory_kib: Annotated[int, Field(ge=8)] = 19_456
    password_hash_threads: Annotated[int, Field(ge=1, le=16)] = 2
    second_factor_required: bool = True

    upload_limit_bytes: Annotated[int, Field(ge=1024)] = 20 * 1024 * 1024
    case_access_days_after_close: Annotated[int, Field(ge=0)] = 30
    # As long as the record of the case, counted from the end of the year.
    recording_retention_years: Annotated[int, Field(ge=0, le=100)] = 10
    request_expires_days: Annotated[int, Field(ge=1)] = 14
    # After a case is closed the station tells what became of the patient.
    follow_up_days: list[Annotated[int, Field(ge=0, le=3650)]] = [7, 30]
    ice_servers: list[IceServer] = []
    turn_urls: list[TurnUrl] = []
    turn_secret: SecretStr = SecretStr("")
    turn_secret_file: Path | None = None
    turn_lifetime_minutes: Annotated[int, Field(ge=10, le=24 * 60)] = 240
    relay: bool = True
    relay_address: RelayAddress = ""
    relay_private_candidates: bool = False
    relay_ice_servers: list[IceServer] = []
    relay_turn: Literal["no", "also", "only"] = "no"
    mail: MailSettings = MailSettings()
    sms: SmsSettings = SmsSettings()
    push: PushSettings = PushSettings()
    signing: SigningSettings = SigningSettings()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.database_url and not self.database_url.startswith(
            ("sqlite+aiosqlite:", "postgresql+asyncpg:")
        ):
            raise ValueError("database_url: use sqlite+aiosqlite:///… or postgresql+asyncpg://…")
        if self.public_origin and not self.public_origin.startswith(("http://", "https://")):
            raise ValueError("public_origin: use https://host[:port]")
        if self.secret_key.get_secret_value() and self.secret_key_file:
            raise ValueError("secret_key: give it directly or as secret_key_file, not both")
        has_turn_secret = bool(self.turn_secret.get_secret_value())
        if has_turn_secret and self.turn_secret_file:
            raise ValueError("turn_secret: give it directly or as turn_secret_file, not both")
        has_turn_secret = has_turn_secret or self.turn_secret_file is not None
        if self.turn_urls and not has_turn_secret:
            raise ValueError("turn_secret: needed with TELEMED_TURN_URLS")
        if has_turn_secret and not self.turn_urls:
            raise ValueError("turn_urls: needed with a secret of TURN")
        if self.relay_turn != "no" and not self.turn_urls:
            raise ValueError("relay_turn: needs TELEMED_TURN_URLS")
        if self.mail.host and not self.mail.sender:
            raise ValueError("mail__sender: needed with a server for mail")
        return self

    @property
    def database(self) -> str:
        """The database address; an SQLite file in `data_dir` unless told otherwise."""
        return self.database_url or f"sqlite+aiosqlite:///{self.data_dir / 'telemed.sqlite3'}"

    @property
    def is_embedded(self) -> bool:
        """True when the data live in an SQLite file."""
        return self.database.startswith("sqlite")

    @property
    def origin(self) -> str:
        """The one origin that pages are served from."""
        return self.public_origin.rstrip("/") or f"http://{self.host}:{self.port}"

    @property
    def origins(self) -> tuple[str, ...]:
        """Every origin a browser may name; on loopback both usual spellings."""
        if self.public_origin or not self.is_loopback:
            return (self.origin,)
        return tuple(f"http://{host}:{self.port}" for host in ("127.0.0.1", "localhost"))

    @property
    def is_loopback(self) -> bool:
        """True when only this machine can reach the server."""
        return self.host in {"127.0.0.1", "::1", "localhost"}

    @property
    def is_https(self) -> bool:
        """True when browsers come through TLS, so cookies can be locked to it."""
        return self.origin.startswith("https://")

    def signing_key(self) -> bytes:
        """The installation's secret, at least 32 bytes; made and kept beside an embedded database.

        Raises SettingError when a server database is used and no secret is given.
        """
        given = self.secret_key.get_secret_value()
        path = self.secret_key_file
        if not given and path is None:
            path = self.data_dir / "secret_key"
            if not path.exists():
                if not self.is_embedded:
                    raise SettingError("secret_key", "needed with a PostgreSQL database")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch(mode=0o600)
                path.write_text(secrets.token_urlsafe(48))
        if path is not None:
            given = _read_secret("secret_key_file", path)
        if len(given) < _SECRET_LETTERS:
            raise SettingError("secret_key", f"needs at least {_SECRET_LETTERS} characters")
        return given.encode()

    def turn_secrets(self) -> tuple[bytes, ...]:
        """What is shared with coturn, newest first; the newest signs, coturn takes the others too.

        Raises SettingError for one that is too short, or a file that cannot be read.
        """
        given, path = self.turn_secret.get_secret_value(), self.turn_secret_file
        if path is not None:
            given = _read_secret("turn_secret_file", path)
        found = given.split()
        if (given or path) and min(map(len, found), default=0) < _SECRET_LETTERS:
            name = "turn_secret_file" if path else "turn_secret"
            raise SettingError(name, f"each secret needs at least {_SECRET_LETTERS} characters")
        return tuple(secret.encode() for secret in found)


def _read_secret(name: str, path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(name, f"cannot be read: {path}") from error


class SettingError(Exception):
    """A setting that stops the start; one line that names it."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"TELEMED_{name.upper()}: {problem}")


def load_settings(**overrides: object) -> Settings:
    """Read and check all settings. Raises SettingError naming the first bad one."""
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type] # pydantic checks the values
    except SettingsError as error:
        # Lists come as JSON; the library names the field in its sentence only.
        named = re.search(r'field "(\w+)"', str(error))
        raise SettingError(named[1] if named else "", "must be JSON") from error
    except ValidationError as error:
        first = error.errors()[0]
        message = str(first["msg"]).removeprefix("Value error, ")
        where = [str(part) for part in first["loc"]]
        if not where:
            name, _, message = message.partition(": ")
            where = [name]
        raise SettingError("__".join(where), message) from error
