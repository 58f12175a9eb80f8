"""Long-running loops, each `async def run(deps, stop)`: safe to run twice, safe to kill."""
