"""The kernel, part by part: time that passes at once, servers that misbehave."""
