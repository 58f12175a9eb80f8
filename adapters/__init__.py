"""One class per port and technology. Thin: connections, bulk, timeouts, retries."""
