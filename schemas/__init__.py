"""What travels between Vigie's processes: messages, topics, codec, configuration, examples.

Nothing here does I/O. Every service may import this package; it imports only the standard
library and msgspec.
"""
