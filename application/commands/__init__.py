"""Commands: each fetches the facts that its decision needs, and hands the writer the decision."""
