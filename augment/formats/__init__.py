"""The formats that images are read from and written to."""
