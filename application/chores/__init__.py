"""What the janitor does, one plain async function a chore; `registry.py` lists them."""
