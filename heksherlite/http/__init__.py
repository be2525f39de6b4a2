"""HTTP for the clients and the grants. Only this package and the integrations import httpx."""
