"""FreeSWITCH's mod_callcenter over the event socket (ESL); what it sends and its traps: SOURCES.md §4."""
