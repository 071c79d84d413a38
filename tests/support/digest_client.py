"""The client's side of DIGEST-MD5 (RFC 2831 §2.1.2), by itself: nothing of the server's is used."""

from __future__ import annotations

import re
from hashlib import md5
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.server import Account


def answer_digest(account: Account, challenge: str, cnonce: str = "a nonce of ours") -> bytes:
    """What a client answers to the first challenge."""
    realm, nonce = (re.findall(f'{name}="([^"]*)"', challenge)[0] for name in ("realm", "nonce"))
    uri = f"xmpp/{realm}"
    secret = md5(f"{account.username}:{realm}:{account.password}".encode(), usedforsecurity=False).digest()
    first = _hex(secret + f":{nonce}:{cnonce}".encode())
    second = _hex(f"AUTHENTICATE:{uri}".encode())
    response = _hex(f"{first}:{nonce}:00000001:{cnonce}:auth:{second}".encode())
    return (
        f'username="{account.username}",realm="{realm}",nonce="{nonce}",cnonce="{cnonce}",nc=00000001,'
        f'qop=auth,digest-uri="{uri}",response={response},charset=utf-8'
    ).encode()


def _hex(data: bytes) -> str:
    return md5(data, usedforsecurity=False).hexdigest()
