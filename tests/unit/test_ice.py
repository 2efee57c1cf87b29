"""ICE servers and the credentials of TURN: whom they are for, until when, and what refuses to start."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemed.core.config import SettingError, load_settings
from telemed.media.ice import IceServers, turn_credential

NOW = datetime(2026, 11, 23, 2, 0, 0, 123_456, tzinfo=UTC)
SECRET, OLDER = "n" * 32, "o" * 32
URLS = ["turn:turn.example:3478?transport=udp", "turns:[2001:db8::1]:5349?transport=tcp"]


def ice(**settings: object) -> IceServers:
    return IceServers.of(load_settings(**settings))


def test_without_settings_nobody_is_asked_for_help() -> None:
    issued = ice().issue("p1", NOW)
    assert (issued.servers, issued.expires_at) == ([], None)


def test_servers_without_credentials_are_told_as_they_were_set() -> None:
    stun = {"urls": ["stun:stun.example"]}
    alone = ice(ice_servers=[stun])
    assert (alone.issue("p1", NOW).servers, alone.issue("p1", NOW).expires_at) == ([stun], None)
    both = ice(ice_servers=[stun], turn_urls=URLS, turn_secret=SECRET)
    assert both.fixed == (stun,)
    assert both.issue("p1", NOW).servers[0] == stun


def test_a_credential_is_for_one_participant_until_a_moment() -> None:
    issued = ice(turn_urls=URLS, turn_secret=SECRET, turn_lifetime_minutes=60).issue("p1", NOW)
    (turn,) = issued.servers
    assert issued.expires_at == datetime(2026, 11, 23, 3, 0, 0, tzinfo=UTC)
    assert turn["urls"] == URLS
    assert turn["username"] == f"{int(issued.expires_at.timestamp())}:p1"


def test_a_credential_is_what_the_description_of_coturn_says() -> None:
    # printf 1797904800:p1 | openssl dgst -sha1 -hmac north -binary | base64
    until = datetime.fromtimestamp(1_797_904_800, UTC)
    assert turn_credential(b"north", "p1", until) == (
        "1797904800:p1",
        "uxoPst6fXSIJJWEoRgkUJ4DVmlk=",
    )


@given(
    secret=st.binary(min_size=32, max_size=64),
    participant=st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True),
    seconds=st.integers(0, 2**32 - 1),
    other=st.integers(1, 3600),
)
def test_whoever_changes_the_name_or_the_moment_has_no_password_for_it(
    secret: bytes, participant: str, seconds: int, other: int
) -> None:
    until = datetime.fromtimestamp(seconds, UTC)
    username, password = turn_credential(secret, participant, until)
    assert username.partition(":") == (str(seconds), ":", participant)
    digest = hmac.new(secret, username.encode(), hashlib.sha1).digest()
    assert base64.b64decode(password, validate=True) == digest
    assert turn_credential(secret, participant, until + timedelta(seconds=other))[1] != password
    assert turn_credential(secret, participant + "x", until)[1] != password


def test_the_newest_of_several_secrets_signs(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n{OLDER}\n")
    settings = load_settings(turn_urls=URLS, turn_secret_file=path)
    assert settings.turn_secrets() == (SECRET.encode(), OLDER.encode())
    only_new = ice(turn_urls=URLS, turn_secret=SECRET)
    assert IceServers.of(settings).issue("p1", NOW) == only_new.issue("p1", NOW)


def test_the_secret_is_in_no_description_of_the_settings() -> None:
    assert SECRET not in repr(load_settings(turn_urls=URLS, turn_secret=SECRET))


@pytest.mark.parametrize(
    "url",
    [
        "stun:turn.example",
        "turn:",
        "turn:turn.example?transport=sctp",
        "turn:turn.example:port",
        "turn:user@turn.example",
        "turn:turn.example turn:other",
        "turn://turn.example",
        "turn:turn.example\n",
    ],
)
def test_what_is_no_address_of_turn_is_refused(url: str) -> None:
    with pytest.raises(SettingError, match=r"^TELEMED_TURN_URLS__0: "):
        load_settings(turn_urls=[url], turn_secret=SECRET)


@pytest.mark.parametrize("text", ["", " \n", "short", f"{SECRET}\nshort"])
def test_a_file_with_a_weak_secret_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "secret"
    path.write_text(text)
    with pytest.raises(SettingError, match=r"^TELEMED_TURN_SECRET_FILE: each secret needs"):
        ice(turn_urls=URLS, turn_secret_file=path)


def test_the_relays_own_side_is_at_the_turn_server_only_where_it_is_set() -> None:
    turn = {"turn_urls": URLS, "turn_secret": SECRET}
    own = {"urls": ["turn:own.example"], "username": "u", "credential": "c"}
    settings = load_settings(relay_ice_servers=[own], ice_servers=[{"urls": ["stun:x"]}], **turn)
    assert IceServers.of_relay(settings).issue("relay-p1", NOW).servers == [own]
    for word in ("also", "only"):
        found = IceServers.of_relay(load_settings(relay_turn=word, **turn))
        assert found.issue("relay-p1", NOW) == ice(**turn).issue("relay-p1", NOW)


def test_a_process_of_our_own_is_told_everything() -> None:
    turn = {"turn_urls": URLS, "turn_secret": SECRET}
    told = ice(ice_servers=[{"urls": ["stun:stun.example"]}], **turn)
    again = IceServers.from_json(json.loads(json.dumps(told.to_json())))
    assert again.issue("p1", NOW) == told.issue("p1", NOW)


def test_what_is_given_before_somebody_is_inside_lasts_ten_minutes_at_most() -> None:
    turn = {"turn_urls": URLS, "turn_secret": SECRET}
    until = ice(**turn).issue_briefly("p1", NOW).expires_at
    assert until == datetime(2026, 11, 23, 2, 10, 0, tzinfo=UTC)
