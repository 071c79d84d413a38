"""What XMPP says: values, tables and state machines; bytes in, events and bytes out."""
