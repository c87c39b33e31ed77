"""The command line: one file per command, no tensor lives here."""
