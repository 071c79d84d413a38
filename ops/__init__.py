"""Everything about running the server: command line, configuration, logs, certificates, measurements."""
