"""OAuth2 access tokens for httpx and other libraries, configured from facts. Requires ``heksherlite[oauth2]``."""

try:
    from heksherlite.integrations.oauth2.auth import OAuth2Auth
    from heksherlite.integrations.oauth2.logins import OAuth2Login
except ModuleNotFoundError as error:
    if error.name is None or error.name.startswith("heksherlite"):
        raise
    raise ModuleNotFoundError(
        f"heksherlite.integrations.oauth2 needs {error.name}: pip install 'heksherlite[oauth2]'", name=error.name
    ) from error

__all__ = ["OAuth2Auth", "OAuth2Login"]
