"""The whole system under load while its processes are killed, stopped and ended at random.

`python -m tests.soak` (`make soak`): settings.py what runs, load.py what it is told, hurting.py what is
done to it, watching.py what it uses, verdict.py whether all of it is right in the end.
"""
