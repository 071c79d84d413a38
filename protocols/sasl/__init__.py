"""SASL, server side: one file per mechanism, and the credentials they are checked against (RFC 6120 §6)."""
