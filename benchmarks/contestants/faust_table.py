"""Stock Faust: one count per queue in a table. Arguments: faust_app."""

from benchmarks.contestants.faust_app import TABLE, run

if __name__ == "__main__":
    run(lambda app: app.Table(TABLE, default=int, key_type=str, value_type=int))
