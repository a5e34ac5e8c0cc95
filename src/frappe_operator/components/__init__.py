"""What we build: one file a component, `build(x) -> list[Manifest]`, each manifest a literal that reads like YAML."""
