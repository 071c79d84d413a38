"""The chaos harness, `trouper chaos`: clients chat under stream management while everything is killed.

Pure: `options`, `kinds`, `plan` (what happens when, from the seed), `cast` (who talks to whom), `ledger`
(what became of each message), `stream_management` and `elements` (the client's protocol), `statistics`,
`tally`, `result`, `picture`. With sockets and processes: `wire`, `client`, `target`, `injector`, `run`. It
shares no code with the server's own protocol, so that neither's faults are hidden by the other's.
"""
