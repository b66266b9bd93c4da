"""The board as lines of text for a terminal: pure, from rows, a width and an instant."""
