"""What a simulated person may do next, and how often."""

from enum import Enum, auto


class Act(Enum):
    """What a player may do next."""

    CHAT = auto()
    ASK_SERVER = auto()
    ASK_OTHER = auto()
    EDIT_ROSTER = auto()
    SAY_PRESENCE = auto()
    BE_UNAVAILABLE = auto()
    READ_SLOWLY = auto()
    LOG_OUT = auto()
    VANISH = auto()
    FORGET = auto()


WEIGHTS = {
    Act.CHAT: 60,
    Act.ASK_SERVER: 6,
    Act.ASK_OTHER: 8,
    Act.EDIT_ROSTER: 5,
    Act.SAY_PRESENCE: 5,
    Act.BE_UNAVAILABLE: 2,
    Act.READ_SLOWLY: 3,
    Act.LOG_OUT: 2,
    Act.VANISH: 2,
    Act.FORGET: 1,
}
