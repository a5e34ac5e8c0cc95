"""What all tests share: the clusters of the sandbox."""

pytest_plugins = ["sandbox.pytest_plugin"]
