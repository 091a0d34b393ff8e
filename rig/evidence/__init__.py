"""What happened, kept: ledger and timeline, and on top of them the pictures and reports people look at."""
