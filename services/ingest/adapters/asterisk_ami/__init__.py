"""The Asterisk Manager Interface (AMI), Asterisk 18 to 22; what it sends and its traps: SOURCES.md §2."""
