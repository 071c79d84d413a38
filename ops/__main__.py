"""`python -m ops` is the command `trouper`."""

from ops.cli.main import main

if __name__ == "__main__":
    main()
