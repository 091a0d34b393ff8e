"""Looking at what a server shows, by handshakes of any kind, without trusting it."""
