"""From snapshots to pixels: the board, over REST, the socket, Prometheus and the page."""
