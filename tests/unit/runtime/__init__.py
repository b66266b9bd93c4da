"""Settings, options, logs: what all processes do alike."""
