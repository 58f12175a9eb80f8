"""Object stores: a directory."""
