"""Training a conditional GAN: networks, losses, schedules, monitoring."""
