"""FrappeBench: when its children are made, and in what order."""
