"""Near copies of training images: finding them, and the gate in front of every export."""
