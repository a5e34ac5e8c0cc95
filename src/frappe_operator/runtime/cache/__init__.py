"""The cached objects of every watched kind, kept current by list and watch."""
