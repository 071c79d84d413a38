"""One run: accounts, clients, faults; then quiet, until nothing is owed or patience ends; then the result."""

import secrets
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from typing import IO, Final, final

import trio

from ops import faults
from ops.chaos.cast import Part, cast
from ops.chaos.client import Client, Clock, Stage
from ops.chaos.injector import Injector
from ops.chaos.ledger import Ledger
from ops.chaos.options import Options
from ops.chaos.plan import plan
from ops.chaos.progress import Progress, Standing
from ops.chaos.result import Made, Missed, Result
from ops.chaos.statistics import by_kind
from ops.chaos.tally import Tally
from ops.chaos.target import Target, Unusable
from ops.control import ServerNotRunning
from ops.control_protocol import Command, Refusal
from supervision.exit_reason import sole_cause

ENTER_SECONDS_MAX: Final = 120.0
"""How long all clients together may take to log in for the first time."""
QUIET_SECONDS_MAX: Final = 60.0
"""How long what is owed is waited for when the faults are over."""
LEAVE_SECONDS_MAX: Final = 10.0
NEGOTIATIONS_MAX: Final = 32
"""Clients that log in at a time; more only wait for the same processor."""
_AFTERWARDS_SECONDS: Final = 1.0
"""A double may come behind what it doubles."""
_POLL_SECONDS: Final = 0.1
_NAME_BYTES: Final = 4


async def run(options: Options, target: Target, progress_to: IO[str], say: Callable[[str], None]) -> Result:
    """Carries out a run and returns its result. Ctrl-C ends it early, with the balance so far.

    Raises:
        Unusable: Accounts cannot be made, clients cannot log in, or the server does not start again.
    """
    parts = cast(
        options.clients, f"chaos-{secrets.token_hex(_NAME_BYTES)}-", frozenset(target.place.addresses)
    )
    password = secrets.token_urlsafe()
    accounts = sorted({part.account for part in parts})
    say(f"making {len(accounts)} accounts")
    for account in accounts:
        await _ask(target, Command.USER_ADD, f"{account}@{target.place.domain}", password=password)
    try:
        return await _Run(options, target, parts, password).whole(progress_to, say)
    except ExceptionGroup as group:
        cause = sole_cause(group)
        if not isinstance(cause, Unusable | ServerNotRunning | Refusal):
            raise
        raise Unusable(str(cause)) from group
    finally:
        if target.own is None:
            with trio.CancelScope(shield=True):
                for account in accounts:
                    await _ask(target, Command.USER_DELETE, f"{account}@{target.place.domain}")


async def _ask(target: Target, command: Command, jid: str, **arguments: str) -> None:
    try:
        await target.ask(command, jid=jid, **arguments)
    except (ServerNotRunning, Refusal) as error:
        raise Unusable(f"{command.value} {jid}: {error}") from error


@final
class _Run:
    def __init__(self, options: Options, target: Target, parts: Sequence[Part], password: str) -> None:
        self._options = options
        self._ledger = Ledger({part.number: part.account for part in parts})
        self._tally = Tally()
        self._clock = Clock()
        stage = Stage(
            place=target.place,
            parts=tuple(parts),
            password=password,
            seed=options.seed,
            pace=options.pace,
            ledger=self._ledger,
            tally=self._tally,
            gate=trio.CapacityLimiter(NEGOTIATIONS_MAX),
            clock=self._clock,
        )
        self._clients = [Client(part, stage) for part in parts]
        self._injector = Injector(target, self._clients, self._clock, self._tally, options)
        self._chatted = 0.0

    async def whole(self, progress_to: IO[str], say: Callable[[str], None]) -> Result:
        """From the first log-in to the last."""
        progress = Progress(progress_to, self._standing)
        async with trio.open_nursery() as everybody:
            for client in self._clients:
                everybody.start_soon(client.run)
            say(f"{len(self._clients)} clients log in")
            await self._enter()
            await self._injector.begin()
            async with trio.open_nursery() as helpers:
                helpers.start_soon(self._injector.keep_counting)
                helpers.start_soon(_keep_showing, progress)
                await self._chat()
                await self._be_quiet()
                helpers.cancel_scope.cancel()
            progress.end()
            await self._injector.count()
            everybody.cancel_scope.deadline = trio.current_time() + LEAVE_SECONDS_MAX
            for client in self._clients:
                client.leave()
        return self._result()

    async def _enter(self) -> None:
        with trio.move_on_after(ENTER_SECONDS_MAX):
            while not all(client.is_online for client in self._clients):  # noqa: ASYNC110 - many conditions
                await trio.sleep(_POLL_SECONDS)
            return
        online = sum(client.is_online for client in self._clients)
        why = ", ".join(self._tally.refused_attempts) or "no reason given"
        raise Unusable(f"only {online} of {len(self._clients)} clients could log in: {why}")

    async def _chat(self) -> None:
        """Talk, and have faults made, for as long as was asked or until Ctrl-C."""
        self._clock.restart()
        for client in self._clients:
            client.begin_to_talk()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_heed_interrupt, nursery.cancel_scope)
            await self._injector.carry_out(plan(self._options))
            await trio.sleep_until(self._clock.began + self._options.seconds)
            nursery.cancel_scope.cancel()
        self._chatted = self._clock.now()

    async def _be_quiet(self) -> None:
        """No more faults, nothing new said: wait until everything has arrived and is acknowledged."""
        for client in self._clients:
            client.fall_silent()
        await self._injector.disarm()
        with trio.move_on_after(QUIET_SECONDS_MAX):
            while not self._is_settled():  # noqa: ASYNC110 - many conditions
                await trio.sleep(_POLL_SECONDS)
        await trio.sleep(_AFTERWARDS_SECONDS)

    def _is_settled(self) -> bool:
        return self._ledger.is_settled and all(client.owes_nothing for client in self._clients)

    def _standing(self) -> Standing:
        made = self._injector.happened
        return Standing(
            seconds=self._clock.now(),
            of_seconds=self._options.seconds,
            online=sum(client.is_online for client in self._clients),
            clients=len(self._clients),
            sent=self._ledger.sent_count,
            settled=self._ledger.settled_count,
            faults=sum(made.values()),
            in_hand=sum(count for (_kind, point), count in made.items() if point != faults.AT_REST),
            resumed=self._tally.resumed,
            not_resumed=sum(self._tally.not_resumed.values()),
        )

    def _result(self) -> Result:
        tally, injector, ledger = self._tally, self._injector, self._ledger
        return Result(
            options=self._options,
            seconds=round(self._chatted, 3),
            balance=ledger.balance(),
            closed=dict(tally.closed),
            refused_attempts=dict(tally.refused_attempts),
            resumed=tally.resumed,
            not_resumed=dict(tally.not_resumed),
            asked=tally.asked,
            answered=tally.answered,
            unanswerable=tally.unanswerable,
            violations=tuple(tally.violations),
            made=tuple(Made(*name, count) for name, count in sorted(injector.happened.items()) if count),
            missed=tuple(Missed(*name, count) for name, count in sorted(injector.missed.items())),
            recoveries=by_kind((*injector.recoveries, *tally.recoveries)),
            sent_by_second=_by_second(ledger.sent_by_second),
            delivered_by_second=_by_second(ledger.delivered_by_second),
            marks=tuple(injector.marks),
        )


def _by_second(counts: Counter[int]) -> tuple[int, ...]:
    return tuple(counts[second] for second in range(max(counts, default=-1) + 1))


async def _keep_showing(progress: Progress) -> None:
    while True:
        progress.show()
        await trio.sleep(progress.every_seconds)


async def _heed_interrupt(scope: trio.CancelScope) -> None:
    """The first Ctrl-C ends the chat; the next one everything."""
    with trio.open_signal_receiver(signal.SIGINT) as signals:
        async for _signal in signals:
            scope.cancel()
            return
