"""The names of the secrets that describe a store of an artifact's own."""

ENDPOINT = "S3_ENDPOINT_URL"
KEY_ID = "S3_ACCESS_KEY_ID"
SECRET_KEY = "S3_SECRET_ACCESS_KEY"  # noqa: S105 - The name of a secret.
REGION = "S3_REGION_NAME"
BUCKET = "S3_BUCKET"
PREFIX = "S3_PREFIX"
PUBLIC_ENDPOINT = "S3_PUBLIC_ENDPOINT_URL"

STORE_SECRETS = frozenset({ENDPOINT, KEY_ID, SECRET_KEY, REGION, BUCKET, PREFIX, PUBLIC_ENDPOINT})
"""The names of the secrets that describe a store."""
