"""HTTP for platforms: one client with proxies, limits, retries and errors that say what to do."""
