"""What we decided: frozen values. All defaults, merges and None end here."""
