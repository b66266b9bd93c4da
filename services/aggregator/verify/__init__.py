"""`vigie verify`: is what Vigie shows and told what one fold of the log gives? SEMANTICS.md §8, §12.

What was published is read from Kafka alone, up to where it ends at the start; beside it the same core
folds `vigie.events` anew, a partition at a time. Nothing is written, no group is joined.
"""
