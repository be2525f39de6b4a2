"""GraphQL clients by gql, configured from facts. Requires ``heksherlite[graphql]``."""

from heksherlite.integrations.graphql.clients import agraphql_client, graphql_client

__all__ = ["agraphql_client", "graphql_client"]
