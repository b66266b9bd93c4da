"""Meaning: facts in, figures out. Pure: no clock, no Kafka, no metric, no log.

partition.py is the door; site.py routes an event, lookout.py looks at the rules; contacts.py and visits.py hold facts and what
follows from them; queues.py counts; windows.py, state_time.py, trend.py, percentiles.py and
service_level.py are the arithmetic; agents.py, sources.py, alerts.py the rest; rows.py the way out.
"""
