"""The gateways that an installation has by its settings."""

from __future__ import annotations

from telemed.core.clock import Clock
from telemed.core.config import Settings
from telemed.core.i18n import Catalogue
from telemed.notices.deliverer import Gateway
from telemed.notices.gateways.mail import MailGateway
from telemed.notices.gateways.push import PushGateway, public_key, vapid_of
from telemed.notices.gateways.sms import SmsGateway
from telemed.notices.kinds import Channel
from telemed.notices.texts import Texts


def push_key(settings: Settings) -> str:
    """What browsers subscribe with."""
    return public_key(vapid_of(settings.signing_key()))


def open_gateways(settings: Settings, catalogue: Catalogue, clock: Clock) -> dict[Channel, Gateway]:
    """Ways out of the application; nothing is connected before the first message."""
    texts = Texts(catalogue, settings.origin)
    # RFC 8292 2.1: whom a push service may turn to.
    contact = f"mailto:{settings.mail.sender}" if settings.mail.sender else settings.origin
    gateways: dict[Channel, Gateway] = {
        Channel.PUSH: PushGateway(vapid_of(settings.signing_key()), contact, texts)
    }
    if settings.mail.host:
        gateways[Channel.MAIL] = MailGateway(settings.mail, texts, clock)
    if settings.sms.url:
        gateways[Channel.SMS] = SmsGateway(settings.sms, texts)
    return gateways
