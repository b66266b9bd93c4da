"""How fast, how exact, how large: Vigie beside what one would use instead, on this machine, in one run.

`python -m benchmarks` (`make bench`) runs every section and ends with one table; `--only a,f` some of
them, `--smoke` all of them at a size that shows that they work and says nothing of speed.
A section is a module with `async def measure(size: Size, say: Say) -> list[Line]`; results.py has the
words. Contestants, each a process of its own, are in contestants/.
"""
