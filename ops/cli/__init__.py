"""The command `trouper`: one file for each group of subcommands."""
