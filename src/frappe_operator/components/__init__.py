"""Builders of manifests: one file per component, `build(x) -> list[Manifest]`, with manifests that read like YAML."""
