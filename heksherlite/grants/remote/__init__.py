"""Facts from endpoints on the network: discover one, demand a token of it, and claim the facts with that."""
