"""GraphQL clients by gql, configured from facts. Requires ``heksherlite[graphql]``."""

try:
    from heksherlite.integrations.graphql.clients import agraphql_client, graphql_client
except ModuleNotFoundError as error:
    if error.name is None or error.name.startswith("heksherlite"):
        raise
    raise ModuleNotFoundError(
        f"heksherlite.integrations.graphql needs {error.name}: pip install 'heksherlite[graphql]'", name=error.name
    ) from error

__all__ = ["agraphql_client", "graphql_client"]
