"""Cards and the directory, with a client that others wrote (XEP-0054, XEP-0055)."""

import pytest
from slixmpp import JID
from slixmpp.exceptions import IqError

from tests.support.server import RunningServer
from tests.support.slixmpp_client import connected, on_asyncio


@on_asyncio
async def test_card_that_one_client_publishes_another_reads(server: RunningServer) -> None:
    account, other = server.account(), server.account()
    async with connected(server, account) as one, connected(server, other) as two:
        for client in (one, two):
            client.register_plugin("xep_0054")
        cards, others = one.plugin["xep_0054"], two.plugin["xep_0054"]
        card = cards.make_vcard()
        card["FN"] = "Juliet & co"
        card["PHOTO"]["TYPE"] = "image/png"
        card["PHOTO"]["BINVAL"] = b"\x89PNG\r\n"
        await cards.publish_vcard(card)
        read = (await others.get_vcard(JID(account.jid), local=False))["vcard_temp"]
        assert read["FN"] == "Juliet & co"
        assert read["PHOTO"]["BINVAL"] == b"\x89PNG\r\n"
        with pytest.raises(IqError) as refused:
            await cards.get_vcard(JID(other.jid), local=False)
        assert refused.value.condition == "service-unavailable"


@on_asyncio
async def test_user_who_has_entered_the_directory_is_found_by_a_form(server: RunningServer) -> None:
    account = server.account()
    name = account.jid.partition("@")[0]
    async with connected(server, account) as client:
        entry = f"<query xmlns='jabber:iq:register'><nick>{name}</nick><first>Juliet</first></query>"
        await client.request(entry, to="users.localhost", type="set")
        client.register_plugin("xep_0055", {"provide_search": False})
        asked = client.plugin["xep_0055"].make_search_iq(ito="users.localhost")  # type: ignore[no-untyped-call] # so it is
        asked["search"]["form"].add_field("nick", ftype="text-single", value=name.upper())
        form = (await asked.send())["search"]["form"]
        assert list(form.get_reported()) == ["first", "last", "nick", "email", "jid"]
        (found,) = form.get_items()
        assert {found["jid"], found["first"], found["nick"]} == {account.jid, "Juliet", name}
