"""A real browser, the real page, the real api."""
