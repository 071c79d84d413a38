"""The command `trouper` with all its subcommands."""

from importlib.metadata import version
from typing import Final

import click

from ops.cli.chaos import chaos
from ops.cli.inspect import check_config, status, tree
from ops.cli.serve import serve
from ops.cli.users import user
from ops.cli.why import why

_EXAMPLES: Final = """\b
Examples:
  trouper serve --demo                                try it, on this machine only
  trouper check-config --config trouper.toml          what is wrong with a configuration
  trouper serve --config trouper.toml                 run it
  trouper user add juliet@chat.example --config trouper.toml
  trouper tree --config trouper.toml                  see what lives in it
  trouper why juliet@chat.example                     what became of her messages
  trouper chaos                                       kill everything and count what arrives

\b
Exit status: 0 done, 1 refused or failed, 2 wrong usage or configuration, 3 no server is running.
"""


@click.group(epilog=_EXAMPLES)
@click.version_option(version("trouper"), prog_name="trouper")
def main() -> None:
    """An XMPP server in which everything that can fail is a supervised actor."""


for _command in (serve, user, status, tree, why, check_config, chaos):
    main.add_command(_command)
