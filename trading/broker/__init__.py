"""The broker: the one owner of an account's orders. Intent before send, facts once, never twice."""
