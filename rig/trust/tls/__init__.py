"""The server's side of TLS: endpoints whose identities are swapped while they run, and a record of each handshake."""
