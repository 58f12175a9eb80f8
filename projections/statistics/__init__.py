"""The counters of views and downloads, exact, from the access log."""
