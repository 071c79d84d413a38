"""What holds for every restart plan, whatever the children."""

from hypothesis import given
from hypothesis import strategies as st

from supervision.child_spec import Strategy
from supervision.restart_plan import plan_restart

ORDERS = st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=12, unique=True)
CASES = ORDERS.flatmap(lambda order: st.tuples(st.just(order), st.sampled_from(order)))


@given(st.sampled_from(Strategy), CASES)
def test_plan_starts_what_it_stops_and_the_one_that_died(
    strategy: Strategy, case: tuple[list[str], str]
) -> None:
    order, died = case
    plan = plan_restart(strategy, order, died)
    assert set(plan.start) == {*plan.stop, died}
    assert died not in plan.stop


@given(st.sampled_from(Strategy), CASES)
def test_plan_stops_in_reverse_and_starts_in_order(strategy: Strategy, case: tuple[list[str], str]) -> None:
    order, died = case
    plan = plan_restart(strategy, order, died)
    assert list(plan.start) == sorted(plan.start, key=order.index)
    assert list(plan.stop) == sorted(plan.stop, key=order.index, reverse=True)


@given(CASES)
def test_plans_of_the_strategies_contain_one_another(case: tuple[list[str], str]) -> None:
    """One, the rest, all."""
    order, died = case
    one, rest, every = (set(plan_restart(strategy, order, died).start) for strategy in ORDERED)
    assert one <= rest <= every
    assert one == {died}
    assert rest == set(order[order.index(died) :])
    assert every == set(order)


ORDERED = (Strategy.ONE_FOR_ONE, Strategy.REST_FOR_ONE, Strategy.ONE_FOR_ALL)
