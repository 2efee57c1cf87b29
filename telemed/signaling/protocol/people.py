"""Who is to come: ringing, and inviting somebody into the room."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from telemed.signaling.protocol.base import PLAIN, Id, InSession


class Ring(InSession):
    """Call those who are not in the room."""


class DeclineRing(InSession):
    """Not now."""


class FindPeople(InSession):
    """People to invite, by a part of their name."""

    name: Annotated[str, StringConstraints(min_length=2, max_length=80, pattern=PLAIN)]


class Invite(InSession):
    """Call somebody into the room, in a capacity that everybody there is told."""

    person: Id
    capacity: Literal["colleague", "interpreter", "trainer", "trainee"]


class Remove(InSession):
    """Take an invitation back, and send whoever came by it out."""

    participant: Id
