"""What modules see of the messages that wait."""

from actors.offline_queue import OfflineQueue, Waiting
from actors.presence_state import PendingSize
from protocols.jid import parse_jid
from store.users import User
from tests.actors.house import House


def queue(house: House, user: User, size: PendingSize | None = None) -> OfflineQueue:
    return OfflineQueue(house.server.store, user, size, house.server.names)


async def test_offline_queue_reads_stanzas_in_pages() -> None:
    async with House().open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        for number in range(5):
            romeo.send(f"<message id='m{number}' to='juliet@localhost' type='chat'><body>hi</body></message>")
        await house.settle()
        waiting = queue(house, house.account("juliet@localhost"))
        first = await waiting.read(0, 3)
        rest = await waiting.read(first[-1].seq, 3)
        assert [each.stanza.id for each in (*first, *rest)] == [f"m{number}" for number in range(5)]
        assert all(isinstance(each, Waiting) for each in first)
        stanza = first[0].stanza
        assert (stanza.to, stanza.type) == (parse_jid("juliet@localhost"), "chat")
        assert stanza.sender == parse_jid("romeo@localhost/orchard")
        assert stanza.element.findtext("{jabber:client}body") == "hi"


async def test_offline_queue_of_an_account_that_never_got_a_message_asks_no_database() -> None:
    async with House().open() as house:
        before = house.pool.jobs
        empty = queue(house, house.account("juliet@localhost"), PendingSize(0, 0))
        assert empty.size == PendingSize(0, 0)
        assert list(await empty.read(0, 10)) == []
        assert house.pool.jobs == before
