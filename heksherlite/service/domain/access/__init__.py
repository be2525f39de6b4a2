"""Decisions about tokens, applications, device codes, configuration groups and sessions."""
