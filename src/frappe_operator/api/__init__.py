"""What users ask: the two kinds as msgspec models. They parse; they decide nothing."""
