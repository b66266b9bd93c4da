"""Stock Faust: one count per queue in a hopping window of 5 minutes by 10 s. Arguments: faust_app."""

from datetime import timedelta

from benchmarks.contestants.faust_app import TABLE, run

if __name__ == "__main__":
    run(lambda app: app.Table(TABLE, default=int).hopping(300, 10, expires=timedelta(hours=1)))
