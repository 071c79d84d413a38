"""A made-up result of a run, for the tests of what is shown of it."""

from ops.chaos.kinds import POINTS
from ops.chaos.ledger import Balance
from ops.chaos.options import Options
from ops.chaos.result import Made, Mark, Missed, Result
from ops.chaos.statistics import quantiles

BALANCE = Balance(1_500, 1_500, 1_490, 10, 0, (), (), (), (), 3, 1, 2, ())
OPTIONS = Options(20, 30.0, 7, ("registry", "cut", "server"), POINTS, 2.0, 1.0)
RESULT = Result(
    options=OPTIONS,
    seconds=30.0,
    balance=BALANCE,
    closed={"by the server: without a word": 20, "cut by the harness": 4},
    refused_attempts={"nobody answers": 31},
    resumed=24,
    not_resumed={"item-not-found": 1},
    asked=150,
    answered=148,
    unanswerable=1,
    violations=(),
    made=(
        Made("cut", "rest", 4),
        Made("registry", "after decide", 3),
        Made("registry", "before decide", 2),
        Made("registry", "in apply", 1),
        Made("server", "rest", 1),
    ),
    missed=(Missed("cut", "the client was not connected", 2),),
    recoveries={"cut": quantiles([0.1, 0.2]), "server": quantiles([4.0])},
    sent_by_second=(40, 60, 50),
    delivered_by_second=(39, 0, 111),
    marks=(Mark(0.5, "cut", "rest"), Mark(1.0, "server", "rest"), Mark(2.0, "registry", "in apply")),
)
