"""Mail over SMTP."""

from __future__ import annotations

from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, formataddr

import aiosmtplib

from telemed.core.clock import LOCAL_ZONE, Clock
from telemed.core.config import MailSettings
from telemed.notices.outbox import Outcome, Parcel
from telemed.notices.texts import Texts

SECONDS = 20
# RFC 5321 4.2.1: what begins with 4 may go well later.
_LATER = range(400, 500)


class MailGateway:
    """One connection a message: a few an hour leave a hospital."""

    def __init__(self, settings: MailSettings, texts: Texts, clock: Clock) -> None:
        self._settings = settings
        self._texts = texts
        self._clock = clock

    async def send(self, parcel: Parcel) -> Outcome:
        """Hand a mail to the server; the same message number each time, so that it shows once."""
        if not parcel.mail:
            return Outcome.refused("no_address")
        given = self._settings
        try:
            await aiosmtplib.send(
                self._message(parcel, self._clock.now()),
                hostname=given.host,
                port=given.port,
                username=given.user or None,
                password=given.password.get_secret_value() or None,
                use_tls=given.security == "tls",
                start_tls=given.security == "starttls",
                timeout=SECONDS,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = {refusal.code for refusal in error.recipients}
            is_later = all(code in _LATER for code in codes)
            problem = f"smtp_{min(codes, default=0)}"
            return Outcome.again(problem) if is_later else Outcome.refused(problem)
        except aiosmtplib.SMTPAuthenticationError:
            return Outcome.again("smtp_sign_in")
        except aiosmtplib.SMTPResponseException as error:
            problem = f"smtp_{error.code}"
            return Outcome.again(problem) if error.code in _LATER else Outcome.refused(problem)
        except (aiosmtplib.SMTPException, OSError) as error:
            return Outcome.again(type(error).__name__)
        return Outcome.taken()

    def _message(self, parcel: Parcel, now: datetime) -> EmailMessage:
        sender = self._settings.sender
        message = EmailMessage()
        message["From"] = formataddr(("Telemed", sender))
        message["To"] = parcel.mail
        message["Subject"] = self._texts.sentence(parcel)
        message["Date"] = format_datetime(now.astimezone(LOCAL_ZONE))
        message["Message-ID"] = f"<{parcel.uid}@{sender.rpartition('@')[2]}>"
        # RFC 3834: nobody's holiday answers it.
        message["Auto-Submitted"] = "auto-generated"
        if parcel.is_urgent:
            message["X-Priority"], message["Importance"] = "1", "high"
        message.set_content(self._texts.mail(parcel))
        return message

    async def close(self) -> None:
        """Nothing stays open."""
