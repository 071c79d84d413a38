"""Measurements: a load generator in C and the program that lets it loose on a server of its own."""
