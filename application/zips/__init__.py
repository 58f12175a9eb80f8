"""ZIP archives: made of an artifact's files while they are sent, and read inside without unpacking."""
