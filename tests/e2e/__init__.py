"""The operator on a real node, with real pods, files, databases and HTTP."""
