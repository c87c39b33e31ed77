"""Data sets by name or path."""
