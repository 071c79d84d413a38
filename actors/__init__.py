"""What lives in the server: thin shells around the rules of `protocols/` and the drivers of `store/`."""
