"""Sites: artifacts shown as web pages, kept apart from the service by the browser's own rules."""
