"""Commands and queries as plain async functions, and the ports that they need."""
