"""Generator/discriminator families, one file each."""
