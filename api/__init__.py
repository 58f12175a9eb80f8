"""What the world talks to. Translates; holds no rules."""
