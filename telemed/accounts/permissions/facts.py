"""Who asks, and what the rules need to know of an object: values, without a database."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from telemed.accounts.permissions.actions import Role


@dataclass(frozen=True)
class Actor:
    """Who asks. Stations and specialties come from here, never from a body."""

    id: int
    uid: str
    name: str
    roles: frozenset[Role]
    facility_id: int | None = None
    posted_station_id: int | None = None
    specialty_ids: frozenset[int] = frozenset()
    title: str = ""
    place: str = ""
    initials: str = ""
    locale: str = "vi"
    login_session_id: int = 0
    login_seen_at: datetime | None = None

    @property
    def station_ids(self) -> frozenset[int]:
        """Stations whose patients this person looks after now."""
        own = self.facility_id if Role.COMMUNE_DOCTOR in self.roles else None
        posted = self.posted_station_id if Role.ROTATED_DOCTOR in self.roles else None
        return frozenset(station for station in (own, posted) if station is not None)

    def has(self, *roles: Role) -> bool:
        """True when the person holds one of the roles."""
        return not self.roles.isdisjoint(roles)


@dataclass(frozen=True)
class PatientFacts:
    """What the rules need to know of a patient."""

    station_id: int


@dataclass(frozen=True)
class ConsultFacts:
    """What the rules need to know of a consult."""

    station_id: int
    requester_id: int
    specialty_id: int | None
    assigned_id: int | None
    named_id: int | None = None
    is_waiting: bool = False
    is_draft: bool = False
    is_within_access: bool = True


@dataclass(frozen=True)
class SessionFacts:
    """What the rules need to know of a live session; `case`, or who leads it without one."""

    member_ids: frozenset[int]
    case: ConsultFacts | None = None
    host_ids: frozenset[int] = frozenset()
    # What the patient agrees to now: that it is recorded at all, that it is used in teaching.
    is_agreed: bool = True
    may_teach: bool = False


@dataclass(frozen=True)
class TransferFacts:
    """What the rules need to know of a technical-transfer log."""

    author_id: int
    station_id: int
    is_draft: bool = False
    trainer_ids: frozenset[int] = field(default_factory=frozenset)
    trainee_ids: frozenset[int] = field(default_factory=frozenset)


@dataclass(frozen=True)
class PersonFacts:
    """What the rules need to know of an account or of something that belongs to a person."""

    person_id: int
    facility_id: int | None = None


Subject = PatientFacts | ConsultFacts | SessionFacts | TransferFacts | PersonFacts
