"""Who may do what: one pure table of roles, and rules over the facts of one object.

`may(actor, action)` answers for the function alone (403 where it says no); with the facts of an
object it answers for that object, and a no means the object is not to be known of (404).
"""

from __future__ import annotations

from telemed.accounts.permissions.actions import GRANTS, SECOND_FACTOR_ROLES, Action, Role
from telemed.accounts.permissions.facts import (
    Actor,
    ConsultFacts,
    PatientFacts,
    PersonFacts,
    SessionFacts,
    Subject,
    TransferFacts,
)
from telemed.accounts.permissions.rules import allows
from telemed.core.errors import Denied, Missing

__all__ = [
    "GRANTS",
    "SECOND_FACTOR_ROLES",
    "Action",
    "Actor",
    "ConsultFacts",
    "PatientFacts",
    "PersonFacts",
    "Role",
    "SessionFacts",
    "Subject",
    "TransferFacts",
    "may",
    "require",
]


def may(actor: Actor | None, action: Action, subject: Subject | None = None) -> bool:
    """Whether the actor may do this, in general or to this object. Unknown pairs are refused."""
    if action is Action.PUBLIC:
        return True
    if actor is None or actor.roles.isdisjoint(GRANTS[action]):
        return False
    return subject is None or allows(actor, action, subject)


def require(actor: Actor | None, action: Action, subject: Subject | None = None) -> None:
    """Raise Denied for a function the role lacks, Missing for an object not to be known of."""
    if not may(actor, action):
        raise Denied(refused_action=action)
    if subject is not None and not may(actor, action, subject):
        raise Missing(refused_action=action)
