"""Changes one thing in the ledger's scripts and their callers, and sees whether a test notices."""
