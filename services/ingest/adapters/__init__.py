"""One folder per source: `translate.py` knows (their payload → our events, pure), `connect.py` talks."""
