"""The Artifact aggregate: manifest, configuration, versions, open stage, weights and lifecycle."""
