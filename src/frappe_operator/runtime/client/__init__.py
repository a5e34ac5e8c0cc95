"""How the operator reaches the API server: requests, streams, credentials and errors."""
