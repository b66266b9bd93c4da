"""Meaning: facts in, figures out. Pure: no clock, no Kafka, no metric, no log.

partition.py is the door, site.py routes an event; contacts.py and visits.py hold facts and what
follows from them; queues.py counts; windows.py, state_time.py, trend.py, percentiles.py and
service_level.py are the arithmetic; agents.py, sources.py and hearing.py say who is there;
lookout.py, episodes.py and alerts.py are the rules; display.py and rows.py the way out; records.py
and site_state.py what is stored.
"""
