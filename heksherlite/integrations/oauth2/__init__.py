"""OAuth2 access tokens for httpx and other libraries, configured from facts. Requires ``heksherlite[oauth2]``."""

from heksherlite.integrations.oauth2.auth import OAuth2Auth
from heksherlite.integrations.oauth2.logins import OAuth2Login

__all__ = ["OAuth2Auth", "OAuth2Login"]
