"""The read model of the open stages, by which the janitor finds drafts that have expired."""
