"""The Stage aggregate: files announced, uploaded and removed until a commit or a discard closes it."""
