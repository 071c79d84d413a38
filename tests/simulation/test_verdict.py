"""Made-up histories with something wrong: the verdict must say so, and say nothing where nothing is."""

from collections.abc import Callable

import pytest

from tests.simulation.ledger import Answer, End, Gap, Ledger, Message, Request
from tests.simulation.verdict import Final, PlayerView, error_for, judge

ROMEO, JULIET, NURSE = "romeo@localhost/orchard", "juliet@localhost/balcony", "juliet@localhost/hall"
QUIET = Final((), {}, (), ())


def sent(ledger: Ledger, number: int, to: str = JULIET, **fields: object) -> Message:
    message = Message(f"m{number}", ROMEO, to, number, float(number), is_promised=True)
    message.acked_at = number + 0.5
    for name, value in fields.items():
        setattr(message, name, value)
    ledger.sent(message)
    return message


def arrived(
    ledger: Ledger, number: int, at: float, player: str = JULIET, session: int = 1, *, is_counted: bool = True
) -> None:
    ledger.arrived(f"m{number}", player, session, at, is_counted=is_counted)


def asked(ledger: Ledger, to: str = "") -> Request:
    request = Request("q1", ROMEO, 1, to, 1.0)
    ledger.asked(request)
    return request


def player(**fields: object) -> PlayerView:
    view = PlayerView(ROMEO, is_online=True, sent=7, h=7, known={}, held={}, roster={}, stored={})
    return view._replace(**fields)  # type: ignore[arg-type]  # named by the tests


def test_verdict_has_nothing_to_say_where_all_is_well() -> None:
    ledger = Ledger()
    for number in range(1, 4):
        sent(ledger, number)
        arrived(ledger, number, number + 1)
    asked(ledger).answers.append(Answer(2.0, is_error=True))
    assert judge(ledger, QUIET._replace(players=(player(),))) == []


@pytest.mark.parametrize(
    ("is_counted", "acked_at", "crashes", "faults"),
    [
        (False, 6.0, [3.0], 0),  # said again, and refused the second time
        (False, None, [3.0], 0),
        (False, 2.5, [3.0], 1),  # the sender had been told
        (False, 6.0, [7.0], 1),
        (False, 6.0, [], 1),
        (True, 6.0, [3.0], 1),  # its client's session knows of it
    ],
)
def test_verdict_allows_an_error_for_what_came_before_the_stream_was_managed(
    is_counted: bool, acked_at: float | None, crashes: list[float], faults: int
) -> None:
    ledger = Ledger()
    sent(ledger, 1, acked_at=acked_at)
    arrived(ledger, 1, 2.0, is_counted=is_counted)
    ledger.crashes += crashes
    ledger.bounced("m1", ROMEO, 5.0)
    assert len(judge(ledger, QUIET)) == faults


def test_verdict_misses_what_was_acknowledged_and_reached_nobody() -> None:
    ledger = Ledger()
    sent(ledger, 1)
    assert judge(ledger, QUIET) == [f"message m1 from {ROMEO} to {JULIET} was acknowledged and is lost"]


@pytest.mark.parametrize("is_heard", [False, True])
def test_verdict_takes_a_refusal_for_one_fate_whether_it_waits_was_heard_or_both(is_heard: bool) -> None:
    ledger = Ledger()
    sent(ledger, 1)
    if is_heard:
        ledger.bounced("m1", ROMEO, 5.0)
    waiting = QUIET._replace(waiting={"romeo@localhost": (error_for("m1"),)})
    assert judge(ledger, waiting) == []
    arrived(ledger, 1, 2.0)
    (fault,) = judge(ledger, waiting)
    assert "more than one fate" in fault


@pytest.mark.parametrize(("crashes", "is_fault"), [([], True), ([0.5], True), ([3.0], False), ([9.0], False)])
def test_verdict_allows_a_second_refusal_where_the_first_was_said_without_the_database(
    crashes: list[float], is_fault: bool
) -> None:
    ledger = Ledger()
    sent(ledger, 1)
    ledger.unsafe.append((1.5, 4.0))
    ledger.crashes += crashes
    ledger.bounced("m1", ROMEO, 5.0)
    ledger.bounced("m1", ROMEO, 5.0)
    assert bool(judge(ledger, QUIET)) is is_fault


@pytest.mark.parametrize(
    "excuse",
    [
        lambda ledger: setattr(ledger.messages["m1"], "acked_at", None),
        lambda ledger: setattr(ledger.messages["m1"], "is_promised", False),
        lambda ledger: ledger.bounced("m1", ROMEO, 5.0),
        lambda ledger: ledger.gaps["juliet@localhost"].append(Gap(0.0, 2.0)),
    ],
)
def test_verdict_misses_nothing_that_was_not_promised(excuse: Callable[[Ledger], None]) -> None:
    ledger = Ledger()
    sent(ledger, 1)
    excuse(ledger)
    assert judge(ledger, QUIET) == []


def test_verdict_takes_what_is_stored_for_delivered_once() -> None:
    ledger = Ledger()
    sent(ledger, 1)
    stored = QUIET._replace(waiting={"juliet@localhost": ("m1",)})
    assert judge(ledger, stored) == []
    arrived(ledger, 1, 2.0)
    assert any("more than one fate" in fault for fault in judge(ledger, stored))


def test_verdict_sees_doubles() -> None:
    ledger = Ledger()
    sent(ledger, 1)
    arrived(ledger, 1, 2.0)
    arrived(ledger, 1, 3.0, session=2)
    assert judge(ledger, QUIET) == [f"message m1 came twice to {JULIET}: at 2.000 and 3.000"]


@pytest.mark.parametrize(
    ("is_orderly", "crashes", "is_fault"),
    [(False, [], False), (True, [], True), (True, [2.5], False), (True, [9.0], True)],
)
def test_verdict_allows_a_double_where_nobody_can_know_better(
    is_orderly: bool, crashes: list[float], is_fault: bool
) -> None:
    ledger = Ledger()
    sent(ledger, 1)
    arrived(ledger, 1, 2.0)
    ledger.ended(End(JULIET, 1, 2.2, 2.4, is_orderly))
    ledger.crashes += crashes
    arrived(ledger, 1, 3.0, session=2)
    assert bool(judge(ledger, QUIET)) is is_fault


def test_verdict_allows_no_double_within_a_session() -> None:
    ledger = Ledger()
    sent(ledger, 1)
    arrived(ledger, 1, 2.0)
    ledger.crashes.append(2.5)
    arrived(ledger, 1, 3.0)
    assert len(judge(ledger, QUIET)) == 1


@pytest.mark.parametrize(
    ("is_counted", "acked_at", "crashes", "faults"),
    [
        (False, 2.7, [2.5], 0),
        (False, None, [2.5], 0),
        (False, 2.4, [2.5], 1),
        (False, 2.7, [], 1),
        (True, 2.7, [2.5], 1),
    ],
)
def test_verdict_allows_a_double_of_what_came_before_the_stream_was_managed(
    is_counted: bool, acked_at: float | None, crashes: list[float], faults: int
) -> None:
    ledger = Ledger()
    sent(ledger, 1, acked_at=acked_at)
    arrived(ledger, 1, 2.0, is_counted=is_counted)
    ledger.crashes += crashes
    arrived(ledger, 1, 3.0)
    assert len(judge(ledger, QUIET)) == faults


def test_verdict_expects_at_one_client_what_a_stop_met_on_its_way() -> None:
    """It waits in the queue for whoever is there first; before the stop it would have been for all."""
    for acked_at, faults in ((2.0, 1), (4.0, 0)):
        ledger = Ledger()
        sent(ledger, 1, acked_at=acked_at)
        ledger.messages["m1"].due = (JULIET, f"{JULIET}-too")
        ledger.messages["m1"].to = JULIET.partition("/")[0]
        ledger.stops.append(3.0)
        arrived(ledger, 1, 5.0)
        assert len(judge(ledger, QUIET)) == faults


@pytest.mark.parametrize(
    ("player", "before", "refused", "faults"),
    [
        (ROMEO, 3.0, {"m1"}, 0),  # the error was for a client that had left
        (ROMEO, 3.0, set(), 1),
        (ROMEO, 0.5, {"m1"}, 1),
        (NURSE, 3.0, {"m1"}, 1),
    ],
)
def test_verdict_allows_an_error_to_reach_nobody_whose_sender_has_left(
    player: str, before: float, refused: set[str], faults: int
) -> None:
    ledger = Ledger()
    sent(ledger, 1)
    ledger.ended(End(player, 1, before - 0.5, before, is_orderly=True))
    ledger.refused |= refused
    assert len(judge(ledger, QUIET)) == faults


def test_verdict_sees_disorder() -> None:
    ledger = Ledger()
    for number in (1, 2, 3):
        sent(ledger, number)
    for number in (1, 3, 2):
        arrived(ledger, number, 5.0)
    assert judge(ledger, QUIET) == [f"from {ROMEO} to {JULIET}: m3 came before m2"]


def test_verdict_orders_nothing_by_what_was_routed_again() -> None:
    ledger = Ledger()
    for number in (1, 2, 3):
        sent(ledger, number)
    ledger.ended(End(NURSE, 1, 2.5, 3.5, is_orderly=True))
    for number in (1, 3, 2):
        arrived(ledger, number, 5.0)
    assert judge(ledger, QUIET) == []


@pytest.mark.parametrize(
    ("crash", "troubles", "began", "faults"),
    [
        (1.5, [], 5.5, 0),  # the session was given up by its client, and nobody had written that down
        (8.0, [(0.0, 7.0)], 9.0, 0),
        (8.0, [(0.0, 1.0)], 9.0, 1),
        (8.0, [(6.0, 7.0)], 9.0, 1),
        (1.5, [], 1.8, 1),  # nothing was on its way when the next session took its place
        (0.2, [], 5.5, 1),  # before the goodbye
    ],
)
def test_verdict_knows_that_a_crash_forgets_a_goodbye(
    crash: float, troubles: list[tuple[float, float]], began: float, faults: int
) -> None:
    ledger = Ledger()
    ledger.ended(End(NURSE, 1, 0.5, 1.5, is_orderly=True))
    ledger.began[NURSE, 2] = began
    ledger.crashes.append(crash)
    ledger.troubles += troubles
    for number in (2, 3):
        sent(ledger, number)
    for number in (3, 2):
        arrived(ledger, number, 9.5)
    assert len(judge(ledger, QUIET)) == faults


@pytest.mark.parametrize(
    ("gap", "crashes", "acked_at", "faults"),
    [
        (Gap(1.5, 2.5), [4.0], 5.5, 0),  # lost in the gap, and said again after the crash
        (Gap(1.5, 2.5), [4.0], 3.5, 1),
        (Gap(1.5, 2.5), [], 5.5, 1),
        (Gap(0.5, 1.5), [4.0], 5.5, 1),
        (Gap(4.5, 5.5), [4.0], 5.5, 1),
    ],
)
def test_verdict_orders_nothing_by_what_was_lost_before_the_stream_was_managed(
    gap: Gap, crashes: list[float], acked_at: float, faults: int
) -> None:
    ledger = Ledger()
    ledger.gaps["juliet@localhost"].append(gap)
    ledger.crashes += crashes
    sent(ledger, 2, acked_at=acked_at)
    sent(ledger, 3)
    arrived(ledger, 3, 3.5)
    arrived(ledger, 2, 6.0)
    assert len(judge(ledger, QUIET)) == faults


@pytest.mark.parametrize(
    ("unsafe", "crash", "acked_at", "faults"),
    [
        ((1.0, 9.0), 5.0, 6.5, 0),  # refused while the database was away, and said again after the crash
        ((1.0, 9.0), 5.0, 4.5, 1),
        ((1.0, 9.0), 7.0, 7.5, 1),
        ((0.0, 1.0), 5.0, 6.5, 1),
    ],
)
def test_verdict_orders_nothing_by_what_was_refused_and_forgotten(
    unsafe: tuple[float, float], crash: float, acked_at: float, faults: int
) -> None:
    ledger = Ledger()
    ledger.unsafe.append(unsafe)
    ledger.crashes.append(crash)
    sent(ledger, 2, acked_at=acked_at)
    sent(ledger, 3)
    arrived(ledger, 3, 3.5)
    arrived(ledger, 2, 6.0)
    assert len(judge(ledger, QUIET)) == faults


def test_verdict_lets_what_waits_for_presence_be_overtaken_by_what_does_not() -> None:
    ledger = Ledger()
    sent(ledger, 1, "juliet@localhost")
    sent(ledger, 2, JULIET)
    arrived(ledger, 2, 3.0)
    ledger.arrived("m1", JULIET, 1, 4.0, is_delayed=True)
    assert judge(ledger, QUIET) == []
    sent(ledger, 3, "juliet@localhost")
    sent(ledger, 4, "juliet@localhost")
    ledger.arrived("m4", JULIET, 1, 6.0)
    ledger.arrived("m3", JULIET, 1, 7.0, is_delayed=True)
    assert judge(ledger, QUIET) == [f"from {ROMEO} to {JULIET}: m4 came before m3"]


def test_verdict_sees_who_was_left_out() -> None:
    ledger = Ledger()
    sent(ledger, 1, "juliet@localhost", due=(JULIET, NURSE))
    arrived(ledger, 1, 2.0)
    assert judge(ledger, QUIET) == [f"message m1 from {ROMEO} to juliet@localhost did not reach {NURSE}"]
    ledger.changes["juliet@localhost"].append(1.5)
    assert judge(ledger, QUIET) == []


@pytest.mark.parametrize(
    ("answers", "crashes", "faults"), [(0, [], 1), (1, [], 0), (2, [], 1), (2, [1.5], 0)]
)
def test_verdict_wants_one_answer_for_each_request(answers: int, crashes: list[float], faults: int) -> None:
    ledger = Ledger()
    request = asked(ledger)
    request.answers += [Answer(2.0 + number, is_error=False) for number in range(answers)]
    ledger.crashes += crashes
    assert len(judge(ledger, QUIET)) == faults


def test_verdict_excuses_who_cannot_answer() -> None:
    ledger = Ledger()
    request = asked(ledger, JULIET)
    ledger.heard_request("q1", JULIET, Answer(1.5, is_error=False))
    ledger.ended(End(JULIET, 1, 2.0, 3.0, is_orderly=False))
    assert request.is_excused
    assert judge(ledger, QUIET) == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"h": 6}, "sent 7 stanzas and the server confirms 6"),
        ({"known": {JULIET: "there"}}, f"believes in {JULIET}: 'there' instead of None"),
        ({"held": {JULIET: "there"}}, f"believes in {JULIET}: None instead of 'there'"),
        ({"stored": {"juliet@localhost": (None, "both", False)}}, "has a roster with juliet@localhost: None"),
    ],
)
def test_verdict_compares_what_a_client_knows_with_what_is(fields: dict[str, object], words: str) -> None:
    (fault,) = judge(Ledger(), QUIET._replace(players=(player(**fields),)))
    assert words in fault
    assert judge(Ledger(), QUIET._replace(players=(player(is_online=False, **fields),))) == []


def test_verdict_wants_nothing_to_wait_for_who_is_there() -> None:
    final = QUIET._replace(players=(player(),), waiting={"romeo@localhost": ("m1",)})
    ledger = Ledger()
    assert judge(ledger, final) == [f"{ROMEO} is there, and m1 still wait for it"]


def test_verdict_passes_on_orphans_reports_and_what_was_seen_at_once() -> None:
    ledger = Ledger()
    arrived(ledger, 5, 1.0)
    ledger.answered("q9", ROMEO, Answer(1.0, is_error=False))
    ledger.heard_request("q9", ROMEO, Answer(1.0, is_error=False))
    ledger.bounced("m9", ROMEO, 5.0)
    found = judge(ledger, QUIET._replace(orphans=("somebody",), reports=("a death",)))
    assert len(found) == 6
