"""What kind of fault a set of synthetic images has."""
