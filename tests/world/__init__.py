"""The operator in a `fakecluster.world.World`: an API server and a cluster in memory, under virtual time."""
