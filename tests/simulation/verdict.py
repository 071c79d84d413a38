"""What must hold when all is quiet: the invariants, as a pure function of the books and the final state."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from tests.simulation.disasters import TROUBLE_ECHO_SECONDS
from tests.simulation.network import LATENCY_SECONDS_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.simulation.ledger import Answer, Copy, End, Ledger, Message, Request

RosterView = dict[str, tuple[str | None, str, bool]]
"""Contact to name, subscription and whether a request is open."""


class PlayerView(NamedTuple):
    """What one client knows in the end.

    Attributes:
        is_online: Whether it is connected and available.
        sent: How many stanzas it counted, and `h` how many of them the server confirmed; None without
            stream management.
        known: The presence it knows of: full address to status.
        held: The presence it should know of.
        roster: Its roster as it knows it; None if it did not ask.
        stored: Its account's roster in the store.
    """

    jid: str
    is_online: bool
    sent: int | None
    h: int | None
    known: Mapping[str, str]
    held: Mapping[str, str]
    roster: RosterView | None
    stored: RosterView


class Final(NamedTuple):
    """Everything outside the books.

    Attributes:
        waiting: Bare address to the ids of messages that wait in its log, and what `error_for` calls the
            errors that do.
        orphans: Tasks that belong to no actor.
        reports: What the server's supervisors and modules reported that nobody caused.
    """

    players: tuple[PlayerView, ...]
    waiting: Mapping[str, tuple[str, ...]]
    orphans: tuple[str, ...]
    reports: tuple[str, ...]


def error_for(id_: str) -> str:
    """What the error for a message is called where it waits for the message's sender."""
    return f"the error for {id_}"


def judge(ledger: Ledger, final: Final) -> list[str]:
    """Everything that is wrong, a sentence each; empty if nothing is."""
    return [
        *ledger.faults,
        *_unwanted_reports(final),
        *_messages(ledger, final),
        *_order(ledger),
        *_requests(ledger),
        *(fault for player in final.players if player.is_online for fault in _player(player, final)),
    ]


def _unwanted_reports(final: Final) -> Iterator[str]:
    yield from (f"a task without a parent: {name}" for name in final.orphans)
    yield from (f"reported, and nobody caused it: {report}" for report in final.reports)


# -- messages


def _messages(ledger: Ledger, final: Final) -> Iterator[str]:
    stored: defaultdict[str, int] = defaultdict(int)
    for ids in final.waiting.values():
        for id_ in ids:
            stored[id_] += 1
    for message in ledger.messages.values():
        yield from _fates(ledger, message, stored[message.id], stored[error_for(message.id)])
        yield from _doubles(ledger, message)


def _fates(ledger: Ledger, message: Message, stored: int, errors: int) -> Iterator[str]:
    """Handed on, stored or answered with an error: one of them, and once.

    An error may wait, and have been heard by a client that could not acknowledge it any more.
    """
    name = f"message {message.id} from {message.sender} to {message.to}"
    fates = bool(message.copies) + stored + max(message.bounces, errors)
    acked_at = message.acked_at
    if (
        message.is_promised
        and acked_at is not None
        and not fates
        and not _is_in_gap(ledger, message, acked_at)
        and not _was_refused_in_vain(ledger, message)
    ):
        yield f"{name} was acknowledged and is lost"
    was_unsafe = _was_unsafe(ledger, message.at)
    if message.bounces > 1 and not message.is_resent and not was_unsafe:
        yield f"{name} was refused {message.bounces} times"
    if stored > 1 and not message.is_resent:
        yield f"{name} is stored {stored} times"
    is_excused = _is_rerouted(ledger, message, float("inf")) or was_unsafe
    if all(_is_forgotten(ledger, message, copy) for copy in message.copies):
        fates -= bool(message.copies)
    if fates > 1 and not message.is_resent and not is_excused:
        kinds = [f"{len(message.copies)} copies delivered", f"{stored} stored", f"{message.bounces} refused"]
        yield f"{name} has more than one fate: {', '.join(kinds)}"
    if acked_at is not None and message.copies and not _is_rerouted(ledger, message, float("inf")):
        yield from (f"{name} did not reach {player}" for player in _missing(ledger, message))


def _was_refused_in_vain(ledger: Ledger, message: Message) -> bool:
    """Whether the error was for a session that ended, perhaps with the error unread: nobody else wants it."""
    ends = ledger.ends[message.sender.partition("/")[0]]
    has_left = any(end.player == message.sender and end.before >= message.at for end in ends)
    return has_left and message.id in ledger.refused


def _is_in_gap(ledger: Ledger, sent: Message | Request, until: float) -> bool:
    """Whether it may have been written to a client that could not say that it never came."""
    account, since = sent.to.partition("/")[0], sent.at
    return any(gap.before >= since and gap.after <= until for gap in ledger.gaps[account])


def _missing(ledger: Ledger, message: Message) -> Iterator[str]:
    """Clients that were there all the time, and got nothing while another client of the account did."""
    account = message.to.partition("/")[0]
    last = max(copy.at for copy in message.copies)
    if _is_in_gap(ledger, message, last) or any(message.at <= at <= last for at in ledger.changes[account]):
        return
    acked_at = message.at if message.acked_at is None else message.acked_at
    if any(message.at <= stop <= acked_at for stop in ledger.stops):
        return
    got = {copy.player for copy in message.copies}
    yield from (player for player in message.due if player not in got)


def _doubles(ledger: Ledger, message: Message) -> Iterator[str]:
    """One client gets it once, except where nobody can know whether it had it already."""
    if message.is_resent:
        return
    seen: dict[str, Copy] = {}
    for copy in message.copies:
        before = seen.setdefault(copy.player, copy)
        if before is copy:
            continue
        is_excused = _may_come_again(ledger, before, copy) or _was_said_again(ledger, message, before, copy)
        if not is_excused and not _was_unsafe(ledger, message.at):
            yield f"message {message.id} came twice to {copy.player}: at {before.at:.3f} and {copy.at:.3f}"


def _may_come_again(ledger: Ledger, before: Copy, after: Copy) -> bool:
    """Whether the session that got it ended without a last word, or ended and was then forgotten in a crash.

    What an ended session had acknowledged is known to the process that served it, and to nobody else as long
    as the message is owed to another session, or its sender's counter has not passed it.
    """
    if before.session == after.session:
        return False
    ends = [
        end
        for end in ledger.ends[before.player.partition("/")[0]]
        if end.player == before.player and end.session == before.session
    ]
    crashed = any(before.at <= crash <= after.at for crash in ledger.crashes)
    return any(crashed or not end.is_orderly for end in ends)


def _is_forgotten(ledger: Ledger, message: Message, copy: Copy) -> bool:
    """Whether a crash forgot it before its sender was told: nothing says so of a stream not managed yet.

    Then it is rightly said again, and may fare differently. A last part may arrive behind the crash.
    """
    told = [at for at in (message.acked_at, message.refused_at) if at is not None]
    until = min(told, default=float("inf"))
    return not copy.is_counted and any(
        copy.at - LATENCY_SECONDS_MAX <= crash < until for crash in ledger.crashes
    )


def _was_said_again(ledger: Ledger, message: Message, before: Copy, after: Copy) -> bool:
    """Whether it was handed over before the client's stream was managed, so that a crash forgot that.

    Then a sender who was not told rightly says it again, and another resource may have left it behind.
    """
    return not before.is_counted and any(
        before.at <= crash <= after.at
        and (message.acked_at is None or message.acked_at > crash or "/" not in message.to)
        for crash in ledger.crashes
    )


def _was_unsafe(ledger: Ledger, since: float, crash: float | None = None) -> bool:
    """Whether it may have been delivered, or refused, while the database was away, and a crash came then.

    That one, or else the last there was.
    """
    last = max(ledger.crashes, default=0.0) if crash is None else crash
    return any(begin < last and max(begin, since) < min(end, last) for begin, end in ledger.unsafe)


def _is_rerouted(ledger: Ledger, message: Message, until: float) -> bool:
    """Whether a session of its recipient's ended for good while the message was on its way."""
    account = message.to.partition("/")[0]
    return any(end.after <= until and _ended_by(ledger, end) >= message.at for end in ledger.ends[account])


def _ended_by(ledger: Ledger, end: End) -> float:
    """A goodbye not written down before a crash is forgotten: then the client's next session ends that one.

    It is written down soon, once the database has no trouble.
    """
    known_by = end.before + TROUBLE_ECHO_SECONDS
    troubles = [until for since, until in ledger.troubles if since <= known_by and until >= end.after]
    known_by = max([known_by, *(until + TROUBLE_ECHO_SECONDS for until in troubles)])
    if not end.is_orderly or not any(end.after <= crash <= known_by for crash in ledger.crashes):
        return end.before
    return max(end.before, ledger.began.get((end.player, end.session + 1), float("inf")))


def _order(ledger: Ledger) -> Iterator[str]:
    """From one client to another everything comes in the order in which it was said.

    With one exception, which is as it should be: what is for an account with nobody available waits, while
    what is for a resource that is connected all the same does not.
    """
    direct: defaultdict[tuple[str, str], list[_Arrival]] = defaultdict(list)
    stored: defaultdict[tuple[str, str], list[_Arrival]] = defaultdict(list)
    for message in ledger.messages.values():
        first: dict[str, Copy] = {}
        for copy in message.copies:
            first.setdefault(copy.player, copy)
        for player, copy in first.items():
            if (
                message.is_resent
                or _is_rerouted(ledger, message, copy.at)
                or _was_in_vain(ledger, message, copy)
            ):
                continue
            arrival = _Arrival(copy.order, message)
            if not copy.is_delayed:
                direct[message.sender, player].append(arrival)
            if copy.is_delayed or "/" not in message.to:
                stored[message.sender, player].append(arrival)
    yield from _disorder(direct)
    yield from _disorder(stored)


def _was_in_vain(ledger: Ledger, message: Message, copy: Copy) -> bool:
    """Whether it may have been lost on a stream not managed yet, or refused, and a crash forgot that.

    Then its sender was not told, and rightly says it again, behind what was said later and has arrived.
    """
    acked_at = float("inf") if message.acked_at is None else message.acked_at
    return any(
        message.at <= crash <= min(copy.at, acked_at)
        and (_is_in_gap(ledger, message, crash) or _was_unsafe(ledger, message.at, crash))
        for crash in ledger.crashes
    )


class _Arrival(NamedTuple):
    order: int
    message: Message


def _disorder(arrivals: Mapping[tuple[str, str], list[_Arrival]]) -> Iterator[str]:
    for (sender, player), arrived in arrivals.items():
        in_order = sorted(arrived, key=lambda arrival: arrival.order)
        for before, after in pairwise(arrival.message for arrival in in_order):
            if after.number < before.number:
                yield f"from {sender} to {player}: {before.id} came before {after.id}"


# -- requests


def _requests(ledger: Ledger) -> Iterator[str]:
    for request in ledger.requests.values():
        name = f"request {request.id} from {request.sender} to {request.to or 'the server'}"
        if not _may_come_twice(ledger, request, request.sender, request.answers):
            answers = [
                f"{'error' if each.is_error else 'result'} at {each.at:.3f}" for each in request.answers
            ]
            yield f"{name} was answered more than once: {', '.join(answers)}"
        if not request.answers and not request.is_excused and not _is_in_gap(ledger, request, float("inf")):
            yield f"{name} was not answered"
        if not _may_come_twice(ledger, request, request.to, request.heard):
            yield f"{name} was delivered {len(request.heard)} times"


def _may_come_twice(ledger: Ledger, request: Request, player: str, came: Sequence[Answer]) -> bool:
    """Whether no two came that the server should have known to be one too many.

    A server that comes back from a crash cannot always know whether a client has had its answer: it says that
    there will be none, and answers what the client sends again. What a session had not acknowledged when it
    ended is for whoever has its address then.
    """
    return all(
        any(request.at <= crash <= again.at for crash in ledger.crashes)
        or (first.session != again.session and _has_broken_off(ledger, player, first.session))
        for first, again in pairwise(came)
    )


def _has_broken_off(ledger: Ledger, player: str, session: int) -> bool:
    """Whether a session ended without the server knowing what its client had got."""
    ends = ledger.ends[player.partition("/")[0]]
    return any(end.player == player and end.session == session and not end.is_orderly for end in ends)


# -- clients


def _player(player: PlayerView, final: Final) -> Iterator[str]:
    if player.sent is not None and player.h != player.sent:
        yield f"{player.jid} sent {player.sent} stanzas and the server confirms {player.h}"
    if player.known != player.held:
        yield f"{player.jid} believes in {_difference(player.known, player.held)}"
    if player.roster is not None and player.roster != player.stored:
        yield f"{player.jid} has a roster with {_difference(player.roster, player.stored)}"
    waiting = final.waiting.get(player.jid.partition("/")[0], ())
    if waiting:
        yield f"{player.jid} is there, and {', '.join(waiting)} still wait for it"


def _difference(known: Mapping[str, object], true: Mapping[str, object]) -> str:
    keys = sorted({*known, *true})
    differences = [
        f"{key}: {known.get(key)!r} instead of {true.get(key)!r}"
        for key in keys
        if known.get(key) != true.get(key)
    ]
    return "; ".join(differences)
