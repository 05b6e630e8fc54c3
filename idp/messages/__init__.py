"""The outbox: messages are queued in the transaction of the change and sent by the worker."""
