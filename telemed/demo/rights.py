"""What a few patients of the synthetic province have asked about their data."""

from __future__ import annotations

from datetime import timedelta

from telemed.consults.models import Consult
from telemed.consults.rights.models import RightsRequest
from telemed.consults.rights.rules import (
    AskedBy,
    AskedHow,
    RightKind,
    RightState,
    answer_due,
)
from telemed.core.clock import LOCAL_ZONE
from telemed.demo.world import World


def make_requests(world: World, consults: list[Consult]) -> list[RightsRequest]:
    """At the first station: one that waits for its answer, and one that the law made them refuse."""
    station = next(iter(world.stations))
    cases = [each for each in consults if each.station_id == station and each.closed_at]
    if not cases:
        return []
    first, last = cases[0], cases[-1]
    received = world.now - timedelta(days=1)
    day = received.astimezone(LOCAL_ZONE).date()
    before = world.now - timedelta(days=20)
    waiting = RightsRequest(
        patient_id=first.patient_id,
        station_id=station,
        kind=RightKind.VIEW,
        asked_by=AskedBy.PATIENT,
        asked_how=AskedHow.IN_PERSON,
        received_on=day,
        received_at=received,
        received_by_id=first.requester_id,
        due_on=answer_due(day),
    )
    refused = RightsRequest(
        patient_id=last.patient_id,
        station_id=station,
        kind=RightKind.DELETE,
        asked_by=AskedBy.PATIENT,
        asked_how=AskedHow.LETTER,
        received_on=before.astimezone(LOCAL_ZONE).date(),
        received_at=before,
        received_by_id=last.requester_id,
        state=RightState.REFUSED,
        answered_at=before + timedelta(hours=20),
        answered_by_id=last.requester_id,
        ended_at=before + timedelta(hours=20),
        ended_by_id=last.requester_id,
        reply=world.phrase("kept_by_law"),
    )
    return [waiting, refused]
