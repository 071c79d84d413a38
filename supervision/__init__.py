"""How things live and die: mailboxes, references, actors, supervisors, without one word of XMPP."""
