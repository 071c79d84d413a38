"""The store without a database, for simulation and tests: same contract, same suite, faults on demand."""
