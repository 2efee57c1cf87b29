"""A signature asks again who one is: the fields of a form, and the proof that comes of them."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import Field

from telemed.accounts.service import reauthenticate
from telemed.core.records import SignatureMethod
from telemed.keys import ACCOUNTS, WORK, signed_in
from telemed.web.parsing import Body, Secret


class SignForm(Body):
    """Who signs."""

    password: Secret
    code: Annotated[str, Field(max_length=10)] = ""


async def prove(request: web.Request, password: str, code: str) -> SignatureMethod:
    """How the signer has shown who they are. Raises Invalid on `password` or `code`."""
    return await reauthenticate(
        request[WORK], request.app[ACCOUNTS], signed_in(request), password=password, code=code
    )
