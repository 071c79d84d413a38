"""`trouper why`: what became of an account's messages, as the running server knows it."""

from pathlib import Path
from typing import Any, Final

import click

from ops.cli.options import Failure, NotRunning, configuration_options, json_option, settings, write_json
from ops.cli.story_rendering import render_messages
from ops.control import ServerNotRunning, ask
from ops.control_protocol import MESSAGES_DEFAULT, MESSAGES_MAX, Command, Refusal, Request

_EXAMPLES: Final = """\b
Examples:
  trouper why juliet@chat.example                    her newest messages, sent and received
  trouper why juliet@chat.example --message m42      the one with this id
  trouper why juliet@chat.example --count 5 --json

\b
Each message has a sentence that sums up, then what happened, oldest first, in UTC. What happened before the
server was started is not known, except for what still waits in the database for the account itself.
"""


@click.command(epilog=_EXAMPLES, short_help="Says what became of an account's messages.")
@click.argument("jid")
@click.option(
    "--message", metavar="ID", help="Only the message with this id, or with this stanza id (XEP-0359)."
)
@click.option(
    "--count",
    type=click.IntRange(1, MESSAGES_MAX),
    default=MESSAGES_DEFAULT,
    show_default=True,
    help="How many messages at most, the newest.",
)
@configuration_options
@json_option
def why(
    jid: str, message: str | None, count: int, config: Path | None, overrides: tuple[str, ...], as_json: bool
) -> None:
    """Says what became of the messages that the account JID sent and was sent."""
    request = Request(Command.WHY, {"jid": jid, "message": message, "count": count})
    try:
        answer: Any = ask(settings(config, overrides).data_dir, request)
    except ServerNotRunning as error:
        raise NotRunning(f"{error}, and only a running server knows") from error
    except Refusal as error:
        raise Failure(str(error)) from error
    if as_json:
        write_json(answer)
    else:
        click.echo("\n".join(render_messages(answer, message)))
