"""The command line: what it refuses in one line, and the commands that have no test of their own."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from sqlmodel import col, select

from telemed.__main__ import main
from telemed.accounts.activation import activate
from telemed.accounts.models import LoginSession, Person, PersonRole
from telemed.accounts.permissions import Role
from telemed.accounts.service import Accounts
from telemed.commands.base import CommandFailed
from telemed.commands.tables import only_writer
from telemed.consults.icd import find_current_list
from telemed.core.config import load_settings
from telemed.core.db import Database
from telemed.core.errors import Invalid
from tests.servers import Telemed, free_port

CODE = re.compile(r"(?:[0-9A-Z]{4}-){4}[0-9A-Z]{4}")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Sets `TELEMED_…` variables; nothing else of Telemed's is in the environment."""
    monkeypatch.setenv("TELEMED_DATA_DIR", str(tmp_path / "var"))

    def give(**settings: str) -> None:
        for name, value in settings.items():
            monkeypatch.setenv(f"TELEMED_{name.upper()}", value)

    return give


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """A command sets logging up for its process; here the process goes on."""
    root = logging.getLogger()
    before = root.level, list(root.handlers)
    yield
    root.setLevel(before[0])
    root.handlers[:] = before[1]


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"port": "abc"}, "TELEMED_PORT: "),
        ({"port": "70000"}, "TELEMED_PORT: "),
        ({"database_url": "mysql://somewhere"}, "TELEMED_DATABASE_URL: use "),
        ({"public_origin": "telemed.example"}, "TELEMED_PUBLIC_ORIGIN: use "),
        ({"secret_key": "short"}, "TELEMED_SECRET_KEY: needs at least 32"),
        ({"secret_key_file": "nowhere"}, "TELEMED_SECRET_KEY_FILE: cannot be read"),
        ({"secret_key": "k" * 40, "secret_key_file": "nowhere"}, "TELEMED_SECRET_KEY: give it"),
        ({"database_url": "postgresql+asyncpg://u@localhost/x"}, "TELEMED_SECRET_KEY: needed"),
        ({"ice_servers": "stun:stun.example"}, "TELEMED_ICE_SERVERS: must be JSON"),
        ({"ice_servers": '[{"url": "stun:x"}]'}, "TELEMED_ICE_SERVERS__0__URLS: "),
        ({"turn_urls": "turn:turn.example"}, "TELEMED_TURN_URLS: must be JSON"),
        ({"turn_urls": '["http://x"]', "turn_secret": "k" * 40}, "TELEMED_TURN_URLS__0: use turn:"),
        ({"turn_urls": '["turn:turn.example"]'}, "TELEMED_TURN_SECRET: needed with"),
        ({"turn_secret": "k" * 40}, "TELEMED_TURN_URLS: needed with"),
        ({"relay_turn": "only"}, "TELEMED_RELAY_TURN: needs TELEMED_TURN_URLS"),
        ({"turn_urls": '["turn:x"]', "turn_secret": "short"}, "TELEMED_TURN_SECRET: each secret"),
        (
            {"turn_urls": '["turn:x"]', "turn_secret_file": "nowhere"},
            "TELEMED_TURN_SECRET_FILE: cannot be read",
        ),
        (
            {"turn_urls": '["turn:x"]', "turn_secret": "k" * 40, "turn_secret_file": "nowhere"},
            "TELEMED_TURN_SECRET: give it",
        ),
        ({"turn_lifetime_minutes": "9"}, "TELEMED_TURN_LIFETIME_MINUTES: "),
        ({"trusted_proxies": "10.0.0.1"}, "TELEMED_TRUSTED_PROXIES: must be JSON"),
        ({"log_level": "loud"}, "TELEMED_LOG_LEVEL: "),
        ({"login_idle_minutes": "0"}, "TELEMED_LOGIN_IDLE_MINUTES: "),
    ],
)
@pytest.mark.parametrize("command", ["check-config", "serve"])
def test_a_bad_setting_stops_the_start_with_one_line_that_names_it(
    environment: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    command: str,
    settings: Mapping[str, str],
    line: str,
) -> None:
    environment(**settings)
    assert main([command]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"telemed: {line}")
    assert said.err.count("\n") == 1


def test_sound_settings_are_said_to_be(
    environment: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    environment(public_origin="https://telemed.example")
    assert main(["check-config"]) == 0
    said = capsys.readouterr().out
    assert "https://telemed.example, SQLite" in said
    assert "TELEMED_TRUSTED_PROXIES is empty" in said


def test_a_named_proxy_needs_no_word_of_it(
    environment: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    environment(public_origin="https://telemed.example", trusted_proxies='["127.0.0.1"]')
    assert main(["check-config"]) == 0
    assert "TELEMED_TRUSTED_PROXIES" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "settings",
    [{"host": "0.0.0.0"}, {"host": "::"}, {"public_origin": "https://telemed.example"}],
)
@pytest.mark.parametrize("command", [["serve", "--demo"], ["demo"]])
def test_a_demo_is_refused_off_loopback(
    environment: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    command: list[str],
    settings: Mapping[str, str],
) -> None:
    environment(**settings)
    assert main(command) == 2
    assert capsys.readouterr().err == (
        "telemed: TELEMED_HOST: demo data are served on loopback only\n"
    )
    assert not (tmp_path / "var" / "telemed.sqlite3").exists()


def test_a_demo_is_refused_where_anything_else_is(
    environment: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    environment()
    assert main(["user", "add-administrator", "Quản trị", "quantri"]) == 0
    capsys.readouterr()
    for command in (["demo"], ["serve", "--demo"]):
        assert main(command) == 2
        assert capsys.readouterr().err == (
            "telemed: this database holds something else; demo data need an empty one\n"
        )


def test_the_first_administrator_gets_a_code_and_there_is_only_one_first(
    environment: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    environment()
    assert main(["user", "add-administrator", "Lò Thị Quản", "quantri"]) == 0
    first = CODE.search(capsys.readouterr().out)
    assert first
    assert asyncio.run(_activate(first[0])) == ("quantri", [Role.ADMINISTRATOR])
    assert main(["user", "add-administrator", "Lò Thị Hai", "quantri2"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["user", "activation-code", "quantri"]) == 0
    second = CODE.search(capsys.readouterr().out)
    assert second
    assert asyncio.run(_activate(second[0])) == ("quantri", [Role.ADMINISTRATOR])
    with pytest.raises(Invalid):
        asyncio.run(_activate(first[0]))


async def _activate(code: str) -> tuple[str, list[Role]]:
    """Whom an activation code lets in, and as what; nothing of it is kept."""
    settings = load_settings()
    database = Database(settings.database, settings=settings)
    accounts = await asyncio.to_thread(Accounts.open, settings, database)
    try:
        async with database.open() as work:
            await activate(
                work,
                accounts,
                code=code,
                new_password="bay con cua bò ngang bãi cát",
                network="192.0.2.1",
            )
            logins = (await work.session.exec(select(LoginSession))).one()
            person = await work.session.get_one(Person, logins.person_id)
            roles = select(PersonRole.role).where(col(PersonRole.person_id) == person.id)
            return person.sign_in_name, [Role(role) for role in await work.session.exec(roles)]
    finally:
        accounts.close()
        await database.close()


def test_a_name_that_nobody_has_is_refused_in_one_line(
    environment: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    environment()
    assert main(["user", "activation-code", "nobody"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_list_of_codes_is_loaded_into_a_fresh_installation(
    environment: Callable[..., None], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    environment()
    file = tmp_path / "codes.csv"
    file.write_text("code,title\nJ18.9,Viêm phổi\n", "utf-8")
    assert main(["icd", "import", str(file), "--version", "06/2026"]) == 0
    assert "1 codes loaded" in capsys.readouterr().out
    assert asyncio.run(_current_list()) == ("ICD-10 VN", "06/2026")


async def _current_list() -> tuple[str, str]:
    settings = load_settings()
    database = Database(settings.database, settings=settings)
    async with database.read() as work:
        current = await find_current_list(work)
    await database.close()
    assert current
    return current.system, current.version


def test_two_processes_never_write_to_one_embedded_database(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "var")
    refused = pytest.raises(CommandFailed, match="another Telemed process")
    with only_writer(settings), refused, only_writer(settings):
        pass
    with only_writer(settings):
        pass


def test_commands_that_write_wait_for_nobody_and_readers_for_no_writer(tmp_path: Path) -> None:
    server = Telemed(tmp_path).start()
    try:
        with pytest.raises(RuntimeError, match="another Telemed process is using"):
            server.command("user", "add-administrator", "Quản trị", "quantri")
        assert "Audit chain holds" in server.command("verify-audit")
    finally:
        server.stop()
    assert "Activation code" in server.command("user", "add-administrator", "Quản trị", "quantri")


def test_a_taken_port_is_one_line(
    environment: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    environment()
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        assert main(["serve", "--port", str(port)]) == 2
    assert "address already in use" in capsys.readouterr().err


def test_a_bent_audit_chain_fails_the_command(
    environment: Callable[..., None], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    environment()
    assert main(["user", "add-administrator", "Quản trị", "quantri"]) == 0
    assert main(["verify-audit"]) == 0
    capsys.readouterr()
    with closing(sqlite3.connect(tmp_path / "var" / "telemed.sqlite3")) as connection:
        connection.execute("DROP TRIGGER audit_record_no_UPDATE")
        connection.execute("UPDATE audit_record SET subject = 'nobody' WHERE sequence = 2")
        connection.commit()
    assert main(["verify-audit"]) == 2
    assert capsys.readouterr().err == (
        "telemed: audit chain broken at record 2: record changed or moved\n"
    )
