"""The six things that vary, one file each: a Protocol and, beside it, what an adapter can do besides.

A class needs only the right shape, no base class. Adapters are named in a table in their room's `__init__`, or by an
entry point `autoresearch.<room>`; `plugins` finds, loads and checks them.
"""
