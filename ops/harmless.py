"""Makes text from strangers harmless to a terminal and to a line-based log.

Used by the logs and the command line: both show addresses, names and errors that somebody else chose.
"""

import re
from typing import Final

# Control characters forge lines and drive terminals; the bidirectional ones make text read as it is not.
_HARMFUL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def harmless(text: str) -> str:
    """Returns the text with harmful characters escaped; tabs and line ends are left alone."""
    return _HARMFUL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def harmless_line(text: str) -> str:
    """Returns the text as one line, with harmful characters and line ends escaped."""
    return harmless(text).replace("\n", "\\n")
