"""The rules of notices, free of I/O: alerts and instants in, deliveries and words out.

`notices` says which transition is worth a notice, `plan` who gets it, `outbox` what leaves when and in
which order, `retry` what becomes of a delivery after a try; `text`, `body` and `mail` word it, `signature`
signs it.
"""
