"""HTTP: translates requests into calls of methods, and answers into responses. Holds no rules."""
