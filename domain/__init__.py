"""What an artifact is and what may happen to it.

Pure: no I/O, no clock, no randomness, no await. Everything that happens is an event; a decision is a function of
states, a command and facts, and returns events or raises a domain error.
"""
